"""Gives a recipe to gin, once TensorFlow and the user's modules are imported."""

import importlib
import inspect
import logging
import types
import typing
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gin
from logan_tf.cli import recipe as recipes
from logan_tf.cli.recipe import Binding, Macro, Recipe, Reference
from logan_tf.errors import ConfigurationError


def apply(recipe: Recipe, gin_params: Sequence[str], modules: Sequence[str]) -> str:
    """Registers everything that has a name, checks the recipe and hands it to gin.

    Args:
      recipe: read from the same files and parameters.
      gin_params: the parameters.
      modules: the user's modules, which register their own classes with gin.

    Returns:
      The whole configuration as one gin file that includes nothing.

    Raises:
      ConfigurationError: for an unknown name or parameter, or a value of a wrong type.
    """
    importlib.import_module("logan_tf.cli.configurables")
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigurationError(
                f"cannot import --module={module} ({error}): put its folder on "
                "PYTHONPATH"
            ) from error
    macros = recipe.macros()
    for binding in recipe.bindings:
        _check(binding, macros)
    gin.clear_config()
    for folder in recipes.search_path(recipe.files):
        gin.add_config_file_search_path(str(folder))
    # gin logs an error for each place where an included file is not.
    logging.disable(logging.ERROR)
    try:
        gin.parse_config_files_and_bindings(
            [str(path) for path in recipe.files], list(gin_params)
        )
    except (ValueError, SyntaxError, OSError) as error:
        raise ConfigurationError(first_line(error)) from error
    finally:
        logging.disable(logging.NOTSET)
    imports = "".join(f"import {module}\n" for module in modules)
    return imports + gin.config_str()


@contextmanager
def building() -> Iterator[None]:
    """What gin calls in this context fails with one line: the configuration is the
    cause.

    A constructor's ValueError or TypeError that gin has marked with the configurable's
    name becomes a ConfigurationError.
    """
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(first_line(error)) from error
    except (TypeError, ValueError) as error:
        if "In call to configurable" not in str(error):
            raise
        name = str(error).split("In call to configurable", 1)[1].split("(")[0].strip()
        raise ConfigurationError(f"{name.strip()}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next((line for line in str(error).splitlines() if line.strip()), repr(error))


def _check(binding: Binding, macros: dict[str, Any]) -> None:
    for reference in recipes.references(binding.value):
        if isinstance(reference, Reference):
            _configurable(reference.name.rsplit("/", 1)[-1], binding.where)
    if not binding.parameter:
        return
    configurable = _configurable(binding.selector, binding.where)
    parameters = inspect.signature(configurable).parameters
    variadic = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if binding.parameter not in parameters and not variadic:
        raise ConfigurationError(
            f"{binding.where}: {binding.selector} has no parameter "
            f"{binding.parameter!r}"
            f"{recipes.suggestion(binding.parameter, parameters)}"
        )
    hint = _hints(configurable).get(binding.parameter)
    value = binding.value
    while isinstance(value, Macro) and value.name in macros:
        value = macros[value.name]
    if hint is not None and not fits(value, hint):
        raise ConfigurationError(
            f"{binding.where}: {binding.name} must be {_describe(hint)}, not {value!r}"
        )


def _configurable(selector: str, where: str) -> Callable:
    try:
        return gin.get_configurable(selector)
    except (KeyError, ValueError) as error:
        # gin offers no public list of what is registered.
        known = {name: name for name in gin.config._REGISTRY._selector_map}
        known |= {name.rsplit(".", 1)[-1]: name for name in known}
        ending = recipes.suggestion(selector, known)
        raise ConfigurationError(
            f"{where}: gin knows no {selector!r}{ending or ': ' + first_line(error)}"
        ) from error


def _hints(configurable: Callable) -> dict[str, Any]:
    target = configurable.__init__ if inspect.isclass(configurable) else configurable
    try:
        return typing.get_type_hints(inspect.unwrap(target))
    except (NameError, TypeError):
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a literal fits an annotation; True where only running it could tell."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if hint is None or hint is type(None):
        return value is None
    if isinstance(value, Macro | Reference):
        return hint not in (bool, int, float, str)
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
    if isinstance(origin, type) and issubclass(origin, Collection | tuple):
        is_sequence = isinstance(value, list | tuple)
        return is_sequence and all(fits(item, arguments[0]) for item in value)
    # What is left are objects and callables: a plain number or string is none.
    return not isinstance(value, bool | int | float | str)


def _describe(hint: Any) -> str:
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__name__
    return str(hint).replace("collections.abc.", "").replace("typing.", "")
