"""Gives a recipe to gin, once TensorFlow and the user's modules are imported."""

import importlib
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gin

from logan_tf.configuration import recipe as recipes
from logan_tf.configuration.recipe import Binding, GinReference, Macro, Recipe
from logan_tf.errors import ConfigurationError, first_line, suggestion


def apply(recipe: Recipe, modules: Sequence[str]) -> str:
    """Registers everything that has a name, checks the recipe and hands it to gin.

    Args:
      recipe: read with the same modules.
      modules: the user's modules, which register their own classes with gin.

    Returns:
      The whole configuration as one gin file that includes nothing.

    Raises:
      ConfigurationError: for an unknown name or parameter, or a value of a wrong type.
    """
    gin.clear_config()  # It also lets names be registered again.
    importlib.import_module("logan_tf.configuration.configurables")
    for module in modules:
        _import(module)
    macros = recipe.macros()
    for binding in recipe.bindings:
        _check(binding, macros)
    _check_required(recipe, macros)
    try:
        # Not the files: gin looks for includes in importable packages too, and imports
        # their parents as it looks.
        gin.parse_config(recipe.text)
        gin.finalize()
    except (ValueError, SyntaxError) as error:
        raise ConfigurationError(first_line(error)) from error
    config = gin.config_str()
    # gin lists the modules that the recipe imports, not those of the command line.
    imports = [f"import {module}" for module in dict.fromkeys(modules)]
    missing = [line for line in imports if line not in config.splitlines()]
    return "".join(f"{line}\n" for line in missing) + config


def _import(module: str) -> None:
    """Imports a module of the user's."""
    if os.getcwd() not in sys.path:
        # Last: no file of the working directory stands in for a library's.
        sys.path.append(os.getcwd())
    try:
        importlib.import_module(module)
    except Exception as error:  # Whatever a module of the user's may raise.
        remedy = "see that its folder is on PYTHONPATH, and that it is correct"
        raise ConfigurationError(
            f"cannot import --module={module} ({type(error).__name__}: "
            f"{first_line(error)}): {remedy}"
        ) from error


@contextmanager
def building() -> Iterator[None]:
    """What gin calls in this context fails with one line: the configuration is the
    cause.

    A constructor's ValueError or TypeError that gin has marked with the configurable's
    name becomes a ConfigurationError.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        _, ours, call = str(error).partition("In call to configurable")
        if isinstance(error, ConfigurationError):
            raise ConfigurationError(first_line(error, None)) from error
        if not ours:
            raise
        name = call.split("(")[0].strip()
        raise ConfigurationError(f"{name}: {first_line(error)}") from error


def _check(binding: Binding, macros: dict[str, Any]) -> None:
    for reference in recipes.references(binding.value):
        if isinstance(reference, GinReference):
            _configurable(reference.name.rsplit("/", 1)[-1], binding.where)
    if not binding.parameter:
        return
    configurable = _configurable(binding.selector, binding.where)
    parameters = _parameters(configurable)
    variadic = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if binding.parameter not in parameters and not variadic:
        raise ConfigurationError(
            f"{binding.where}: {binding.selector} has no parameter "
            f"{binding.parameter!r}"
            f"{suggestion(binding.parameter, parameters)}"
        )
    hint = _hints(configurable).get(binding.parameter)
    value = recipes.resolved(binding.value, macros)
    if hint is not None and not fits(value, hint):
        unmade = isinstance(value, GinReference) and not value.evaluate
        remedy = f": write {value!r}()" if unmade else ""
        raise ConfigurationError(
            f"{binding.where}: {binding.name} must be {_describe(hint)}, not {value!r}"
            f"{remedy}"
        )


def _check_required(recipe: Recipe, macros: dict[str, Any]) -> None:
    """Refuses a reference to what lacks an argument.

    gin would find out when it is called, which for a latent step is in the first step
    of training.
    """
    values = {}  # The last binding of a parameter counts.
    for binding in recipe.bindings:
        if binding.parameter:
            configurable = _configurable(binding.selector, binding.where)
            key = (binding.scope, configurable, binding.parameter)
            values[key] = recipes.resolved(binding.value, macros), binding.where
    # What is still a macro is %gin.REQUIRED.
    bound = {key[1:] for key, (value, _) in values.items() if type(value) is not Macro}
    for (_, configurable, parameter), (value, where) in values.items():
        if not isinstance(value, GinReference):
            continue
        name = value.name.rsplit("/", 1)[-1]
        called = _configurable(name, where)
        hint = None if value.evaluate else _hints(configurable).get(parameter)
        given = 0 if value.evaluate else _num_given(hint)
        missing = [p for p in _required(called, given) if (called, p) not in bound]
        if missing:
            raise ConfigurationError(
                f"{where}: {name} needs {' and '.join(missing)}: add "
                f"'{name}.{missing[0]} = …'"
            )


def _num_given(hint: Any) -> int | None:
    """How many arguments a callable of this type is called with; None: unknown."""
    for candidate in (hint, *typing.get_args(hint)):
        arguments = typing.get_args(candidate)
        if typing.get_origin(candidate) is Callable and isinstance(arguments[0], list):
            return len(arguments[0])
    return None


def _required(configurable: Callable, num_given: int | None) -> list[str]:
    """The parameters that have no default and are not among the first, given ones."""
    if num_given is None:
        return []
    return [
        parameter.name
        for parameter in list(_parameters(configurable).values())[num_given:]
        if (parameter.default is parameter.empty or parameter.default is gin.REQUIRED)
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def _configurable(selector: str, where: str) -> Callable:
    try:
        return gin.get_configurable(selector)
    except (KeyError, ValueError) as error:
        # gin offers no public list of what is registered.
        known = {name: name for name in gin.config._REGISTRY._selector_map}
        known |= {name.rsplit(".", 1)[-1]: name for name in known}
        ending = suggestion(selector, known)
        raise ConfigurationError(
            f"{where}: gin knows no {selector!r}{ending or ': ' + first_line(error)}"
        ) from error


def _called(configurable: Callable) -> Callable:
    """The function that a call runs, freed from gin's wrapper, which takes anything."""
    is_class = inspect.isclass(configurable)
    return inspect.unwrap(configurable.__init__ if is_class else configurable)


def _parameters(configurable: Callable) -> dict[str, inspect.Parameter]:
    parameters = list(inspect.signature(_called(configurable)).parameters.values())
    own = parameters[1:] if inspect.isclass(configurable) else parameters
    return {parameter.name: parameter for parameter in own}


def _hints(configurable: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(_called(configurable))
    except (NameError, TypeError):
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a literal fits an annotation; True where only running it could tell."""
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


def _is_function(hint: type) -> bool:
    """Whether a class stands for whatever is called with some arguments."""
    named = {*vars(hint), *vars(hint).get("__annotations__", ())}
    return bool(
        getattr(hint, "_is_protocol", False)
        and "__call__" in named
        and all(name.startswith("_") for name in named)
    )


def _describe(hint: Any) -> str:
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__name__
    return str(hint).replace("collections.abc.", "").replace("typing.", "")
