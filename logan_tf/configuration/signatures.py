"""What can be called by a name, and the arguments that it takes."""

import inspect
import types
import typing
from collections.abc import Callable, Collection
from typing import Any

import gin

from logan_tf.configuration.recipe_files import GinReference, Macro
from logan_tf.errors import ConfigurationError, first_line, suggestion
from logan_tf.metrics.hub_modules import SavedModelPath


def find(selector: str, where: str) -> Callable:
    """What is registered under a name, as gin calls it.

    Raises:
      ConfigurationError: if nothing is, or what gives a value that nobody could check;
        it begins with `where`.
    """
    try:
        found = gin.get_configurable(selector)
    except (KeyError, ValueError) as error:
        # gin offers no public list of what is registered.
        known = {name: name for name in gin.config._REGISTRY._selector_map}
        known |= {name.rsplit(".", 1)[-1]: name for name in known}
        ending = suggestion(selector, known)
        raise ConfigurationError(
            f"{where}: gin knows no {selector!r}{ending or ': ' + first_line(error)}"
        ) from error
    if inspect.unwrap(found).__module__ == gin.config.__name__:
        raise ConfigurationError(
            f"{where}: {selector!r} is gin's own, and what it gives nobody can check: "
            "write name = value, and %name where it belongs"
        )
    return found


def _called(configurable: Callable) -> Callable:
    """The function that a call runs, freed from gin's wrapper, which takes anything."""
    is_class = inspect.isclass(configurable)
    return inspect.unwrap(configurable.__init__ if is_class else configurable)


def parameters(configurable: Callable) -> dict[str, inspect.Parameter]:
    """The arguments of a call, by name."""
    found = list(inspect.signature(_called(configurable)).parameters.values())
    own = found[1:] if inspect.isclass(configurable) else found
    return {parameter.name: parameter for parameter in own}


def hints(configurable: Callable) -> dict[str, Any]:
    """The types of the arguments that have one, by name."""
    try:
        return typing.get_type_hints(_called(configurable))
    except (NameError, TypeError):
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a literal fits an annotation; True where only running it could tell."""
    hint = getattr(hint, "__supertype__", hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if hint is None or hint is type(None):
        return value is None
    if isinstance(value, Macro) or (isinstance(value, GinReference) and value.evaluate):
        return True
    if isinstance(value, GinReference):
        general = hint in (object, Callable)
        return general or not isinstance(hint, type) or _is_function(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if origin is tuple and Ellipsis not in arguments:
        return (
            isinstance(value, list | tuple)
            and len(value) == len(arguments)
            and all(map(fits, value, arguments))
        )
    if origin is dict:
        is_dict = isinstance(value, dict)
        return is_dict and all(fits(item, arguments[1]) for item in value.values())
    if isinstance(origin, type) and issubclass(origin, Collection | tuple):
        is_sequence = isinstance(value, list | tuple)
        return is_sequence and all(fits(item, arguments[0]) for item in value)
    # What is left are objects and callables: a plain number or string is none.
    return not isinstance(value, bool | int | float | str)


def takes_program(hint: Any) -> bool:
    """Whether an argument names a SavedModel, which runs as it is loaded."""
    return SavedModelPath in (hint, *typing.get_args(hint))


def _is_function(hint: type) -> bool:
    """Whether a class stands for whatever is called with some arguments."""
    named = {*vars(hint), *vars(hint).get("__annotations__", ())}
    return bool(
        getattr(hint, "_is_protocol", False)
        and "__call__" in named
        and all(name.startswith("_") for name in named)
    )


def describe(hint: Any) -> str:
    """A type in words."""
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__name__
    return str(hint).replace("collections.abc.", "").replace("typing.", "")
