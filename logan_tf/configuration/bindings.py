"""Gives a recipe to gin, once TensorFlow and the user's modules are imported."""

import importlib
import os
import re
import shlex
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gin

from logan_tf.configuration import ranges, reach, signatures
from logan_tf.configuration import recipe as recipes
from logan_tf.configuration.recipe import Binding, GinReference, Macro, Recipe
from logan_tf.configuration.signatures import fits
from logan_tf.errors import ConfigurationError, first_line, suggestion
from logan_tf.metrics import hub_modules

_MACRO = re.compile(r"^(\w+) = ", re.MULTILINE)


def apply(recipe: Recipe, modules: Sequence[str], trusted: Sequence[str] = ()) -> str:
    """Registers everything that has a name, checks the recipe and hands it to gin.

    Args:
      recipe: read with the same modules.
      modules: the user's modules, which register their own classes with gin.
      trusted: the SavedModels that it may name.

    Returns:
      The whole configuration as one gin file that includes nothing.

    Raises:
      ConfigurationError: for an unknown name or parameter, a value of a wrong type, or
        a SavedModel that nobody said to trust.
    """
    gin.clear_config()  # It also lets names be registered again.
    importlib.import_module("logan_tf.configuration.configurables")
    for module in modules:
        _import(module)
    macros = recipe.macros()
    for binding in recipe.bindings:
        check(binding, recipe, trusted)
    _check_required(recipe, macros)
    if not modules:  # Whose classes may call others by themselves.
        reach.refuse_unread(recipe)
    try:
        # Not the files: gin looks for includes in importable packages too, and imports
        # their parents as it looks.
        gin.parse_config(recipe.text)
        gin.finalize()
    except (ValueError, SyntaxError) as error:
        raise ConfigurationError(first_line(error)) from error
    config = _without_unread_macros(gin.config_str())
    # gin lists the modules that the recipe imports, not those of the command line.
    imports = [f"import {module}" for module in dict.fromkeys(modules)]
    missing = [line for line in imports if line not in config.splitlines()]
    return "".join(f"{line}\n" for line in missing) + config


def _without_unread_macros(config: str) -> str:
    """A configuration without the macros whose only reader was bound to something else.

    Read again, as a run's own is, they would be refused as misspelt.
    """
    for name in _MACRO.findall(config):
        if name not in recipes.KNOBS and not re.search(rf"%{name}\b", config):
            shorter = re.sub(rf"^{name} = .*\n(?:[ ]+.*\n)*", "", config, flags=re.M)
            return _without_unread_macros(shorter)
    return config


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


def check(binding: Binding, recipe: Recipe, trusted: Sequence[str] = ()) -> None:
    """Refuses names that nobody knows, and values of a wrong type or out of range.

    Args:
      binding: one of them.
      recipe: whose macros it may name.
      trusted: the SavedModels that it may name.

    Raises:
      ConfigurationError: as it says.
    """
    for reference in recipes.references(binding.value):
        if isinstance(reference, GinReference):
            signatures.find(reference.name.rsplit("/", 1)[-1], binding.where)
    if not binding.parameter:
        return
    configurable = signatures.find(binding.selector, binding.where)
    parameters = signatures.parameters(configurable)
    variadic = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if binding.parameter not in parameters and not variadic:
        raise ConfigurationError(
            f"{binding.where}: {binding.selector} has no parameter "
            f"{binding.parameter!r}"
            f"{suggestion(binding.parameter, parameters)}"
        )
    hint = signatures.hints(configurable).get(binding.parameter)
    hint = hint or ranges.hint(configurable, binding.parameter)
    value = recipes.resolved(binding.value, recipe.macros())
    if hint is not None and not fits(value, hint):
        unmade = isinstance(value, GinReference) and not value.evaluate
        remedy = f": write {value!r}()" if unmade else ""
        raise ConfigurationError(
            f"{binding.where}: {binding.name} must be {signatures.describe(hint)}, not "
            f"{value!r}{remedy}"
        )
    _check_range(binding, ranges.of(configurable, binding.parameter), recipe)
    if signatures.takes_program(hint):
        _require_consent(binding, value, trusted)


def _require_consent(binding: Binding, value: Any, trusted: Sequence[str]) -> None:
    """Refuses a SavedModel, which is a program, that the command line does not name."""
    if not isinstance(value, str):
        # What a call gives is known when it is too late.
        raise ConfigurationError(
            f"{binding.where}: {binding.name} must be the SavedModel's folder itself, "
            f"not {value!r}"
        )
    if "://" in value:
        hub_modules.require_known(value)
    elif _real(value) not in map(_real, trusted):
        raise ConfigurationError(
            f"{binding.where}: {binding.name} names a SavedModel, which is a program: "
            f"if you trust it, name it with --trust={shlex.quote(value)}"
        )


def _real(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path))


def _check_range(
    binding: Binding, range_: ranges.Range | ranges.Only | None, recipe: Recipe
) -> None:
    """Refuses a number out of range, where it is said: a macro's at the macro."""
    macros = {b.name: b for b in recipe.bindings if not b.parameter}
    while isinstance(binding.value, Macro) and binding.value.name in macros:
        binding = macros[binding.value.name]
    value = recipes.resolved(binding.value, recipe.macros())
    if range_ is not None and not isinstance(value, Macro | GinReference):
        ranges.check(range_, value, f"{binding.where}: {binding.name}")


def _check_required(recipe: Recipe, macros: dict[str, Any]) -> None:
    """Refuses a reference to what lacks an argument.

    gin would find out when it is called, which for a latent step is in the first step
    of training.
    """
    values = {}  # The last binding of a parameter counts.
    for binding in recipe.bindings:
        if binding.parameter:
            configurable = signatures.find(binding.selector, binding.where)
            key = (binding.scope, configurable, binding.parameter)
            values[key] = recipes.resolved(binding.value, macros), binding.where
    # What is still a macro is %gin.REQUIRED.
    bound = {key[1:] for key, (value, _) in values.items() if type(value) is not Macro}
    for (_, configurable, parameter), (value, where) in values.items():
        if not isinstance(value, GinReference):
            continue
        name = value.name.rsplit("/", 1)[-1]
        called = signatures.find(name, where)
        hint = None if value.evaluate else signatures.hints(configurable).get(parameter)
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
        for parameter in list(signatures.parameters(configurable).values())[num_given:]
        if (parameter.default is parameter.empty or parameter.default is gin.REQUIRED)
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
