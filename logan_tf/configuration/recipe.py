"""Reads gin files without executing them, and finds the mistakes that gin lets pass.

gin accepts a misspelt macro and a value of a wrong type without a word, reports an
undefined macro only where it is used, and executes `import` statements as it reads. So
recipes are read here first, before TensorFlow is imported: a mistake is reported at
once. gin itself opens no file: it is given the text that was read here, includes in
place, so what it executes is what was checked.
"""

import graphlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gin import config_parser

from logan_tf.configuration import recipe_files
from logan_tf.configuration.recipe_files import GinReference, Macro
from logan_tf.errors import ConfigurationError, suggestion

KNOBS: dict[str, tuple[type, ...]] = {
    "total_steps": (int,),
    "batch_size": (int,),
    "accumulation": (int,),
    "precision": (str,),
    "seed": (int,),
    "data_dir": (str, type(None)),
    "log_every": (int,),
    "checkpoint_every": (int,),
    "evaluate_every": (int,),
    "sample_every": (int,),
    "spectrum_every": (int,),
    "evaluation_latent_steps": (int,),
    "standing_batches": (int,),
}
"""The user's macros, the same in every recipe, and their types."""

_RENAMED = {
    "Game.latent_optimizer": "LatentRule.optimizer, beside Game.latent_rule = "
    "@LatentRule() (for None: Game.latent_rule = None)",
    "Game.regularizer_weight": "LatentRule.regularizer_weight",
    "Game.stop_gradient": "LatentRule.stop_gradient",
    "Game.stop_regularizer": "LatentRule.stop_regularizer",
    "Game.orthogonality_weight": "Orthogonality.weight, beside Game.penalties = "
    "[@Orthogonality()]",
}
"""What recipes and run directories of version 0.1 say, and what it is now."""


class Binding(NamedTuple):
    """One statement `scope/selector.parameter = value`; a macro has no parameter."""

    scope: str
    selector: str
    parameter: str
    value: Any
    where: str

    @property
    def name(self) -> str:
        """As it is written in the file."""
        scoped = f"{self.scope}/{self.selector}" if self.scope else self.selector
        return f"{scoped}.{self.parameter}" if self.parameter else scoped


class Recipe(NamedTuple):
    """What the files and parameters of a command line say."""

    files: list[Path]
    text: str
    """All of it as one gin file that includes nothing."""
    bindings: list[Binding]
    imports: list[str]

    def value(self, name: str) -> Any:
        """What a parameter such as "Trainer.total_steps" is bound to at last.

        Raises:
          ConfigurationError: if nothing binds it.
        """
        for binding in reversed(self.bindings):
            if binding.name == name:
                return resolved(binding.value, self.macros())
        raise ConfigurationError(f"the recipe does not say what {name} is: bind it")

    def macros(self) -> dict[str, Any]:
        """Each macro's last value; another macro's name stays a `Macro`."""
        return {b.name: b.value for b in self.bindings if not b.parameter}


def read(
    gin_files: Sequence[str], gin_params: Sequence[str], modules: Sequence[str]
) -> Recipe:
    """Reads files (and what they include) and parameters, and checks them.

    Args:
      gin_files: names for `recipe_files.find`.
      gin_params: statements such as "total_steps = 10".
      modules: the modules that an `import` may name.

    Raises:
      ConfigurationError: for a missing file, a syntax error, an unknown or undefined
        macro, a knob of a wrong type, an import of another module.
    """
    files = [recipe_files.find(name) for name in gin_files]
    text = recipe_files.Text(files, gin_params)
    recipe = Recipe(files, "".join(text.lines), [], [])
    for statement, _ in recipe_files.statements(recipe.text, "--gin_file"):
        if isinstance(statement, config_parser.BindingStatement):
            scope, selector, parameter, value, at = statement
            where = text.places[at.line_num - 1]
            binding = Binding(scope, selector, parameter, value, where)
            recipe.bindings.append(binding)
        elif isinstance(statement, config_parser.ImportStatement):
            recipe.imports.append(statement.module)
    _check_imports(recipe, modules)
    _check_renamed(recipe)
    _check_macros(recipe)
    return recipe


def bindings_of(config: str) -> list[Binding]:
    """The bindings of a configuration that includes nothing and was checked before."""
    found = []
    for statement, _ in recipe_files.statements(config, "the configuration"):
        if isinstance(statement, config_parser.BindingStatement):
            scope, selector, parameter, value, at = statement
            where = f"line {at.line_num}"
            found.append(Binding(scope, selector, parameter, value, where))
    return found


def macros_of(config: str) -> dict[str, Any]:
    """The macros of such a configuration."""
    return {b.name: b.value for b in bindings_of(config) if not b.parameter}


def _check_imports(recipe: Recipe, modules: Sequence[str]) -> None:
    for module in recipe.imports:
        if module.startswith("__gin__"):
            raise ConfigurationError(
                f"{module} is not allowed, because it makes all of a module callable: "
                "register your classes in a module and name that with --module"
            )
        if module not in modules:
            raise ConfigurationError(
                f"the configuration imports the module {module!r}: if you trust it, "
                f"name it with --module={module}"
            )


def _check_renamed(recipe: Recipe) -> None:
    for binding in recipe.bindings:
        name = f"{binding.selector.rsplit('.', 1)[-1]}.{binding.parameter}"
        if name in _RENAMED:
            raise ConfigurationError(
                f"{binding.where}: {name} has become {_RENAMED[name]}: write that, or "
                "take logan_tf 0.1, which reads it as it is"
            )


def references(value: Any) -> Iterator[Macro | GinReference]:
    """The macros and references inside a value."""
    if isinstance(value, Macro | GinReference):
        yield value
    elif isinstance(value, dict):
        for item in (*value, *value.values()):
            yield from references(item)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from references(item)


def resolved(value: Any, macros: dict[str, Any]) -> Any:
    """The value with its macros, and theirs, replaced by what they stand for."""
    if isinstance(value, Macro):
        if value.name not in macros:
            return value
        return resolved(macros[value.name], macros)
    if isinstance(value, list | tuple) and not isinstance(value, GinReference):
        return type(value)(resolved(item, macros) for item in value)
    return value


def _check_macros(recipe: Recipe) -> None:
    macros = recipe.macros()
    _check_circles(macros)
    used = {
        reference.name: binding.where
        for binding in recipe.bindings
        for reference in references(binding.value)
        if isinstance(reference, Macro) and not reference.name.endswith("REQUIRED")
    }
    for name, where in used.items():
        if name not in macros:
            remedy = suggestion(name, {*KNOBS, *macros})
            remedy = remedy or f": set it with --gin_param='{name} = …'"
            raise ConfigurationError(f"{where}: %{name} has no value{remedy}")
    for binding in recipe.bindings:
        if binding.parameter:
            continue
        known = {*KNOBS, *used}
        if binding.name not in known:
            raise ConfigurationError(
                f"{binding.where}: nothing uses {binding.name!r}"
                f"{suggestion(binding.name, known)}"
            )
        _check_knob(binding)


def _check_circles(macros: dict[str, Any]) -> None:
    uses = {
        name: {item.name for item in references(value) if isinstance(item, Macro)}
        for name, value in macros.items()
    }
    try:
        graphlib.TopologicalSorter(uses).prepare()
    except graphlib.CycleError as error:
        name = min(error.args[1])
        raise ConfigurationError(
            f"%{name} is defined by itself: set it with --gin_param='{name} = …'"
        ) from error


def _check_knob(binding: Binding) -> None:
    types = KNOBS.get(binding.name)
    if types is None or isinstance(binding.value, Macro):
        return
    if not isinstance(binding.value, types) or isinstance(binding.value, bool):
        wanted = " or ".join("None" if t is type(None) else t.__name__ for t in types)
        raise ConfigurationError(
            f"{binding.where}: {binding.name} must be {wanted}, not {binding.value!r}"
        )
