"""What of a recipe is ever read, found without calling anything.

Commands call the roots; a value that names something calls that in turn, at once or
later, in its own scope or in the caller's. So it is known before anything is built
which bindings reach what is called: those are the operative configuration, and the
others do nothing.
"""

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from logan_tf.configuration import recipe_files, signatures
from logan_tf.configuration.recipe import KNOBS, Binding, Recipe, bindings_of
from logan_tf.configuration.recipe_files import GinReference, Macro
from logan_tf.errors import ConfigurationError

_GIVEN = {
    "Experiment": (),
    "Evaluator": ("experiment",),
    "Trainer": ("experiment", "strategy", "directory", "sample", "evaluate"),
}
"""What commands call, and the arguments that they give."""

_OURS = ("logan_tf", "keras")
_LITERALS = (bool, int, float, str, type(None))


class Call(NamedTuple):
    """Something that is called, or may be."""

    scope: str
    configurable: Callable


class Reach:
    """What is reached from the roots.

    Args:
      bindings: of the whole recipe; names are known to gin.

    Attributes:
      calls: each call → the bindings that it reads, by parameter.
      names: how recipes call what is called.
      macros: those that are read, by name.
    """

    def __init__(self, bindings: Sequence[Binding]) -> None:
        self.calls: dict[Call, dict[str, Binding]] = {}
        self.names: dict[Callable, str] = {}
        self.macros: dict[str, Binding] = {}
        self._said: dict[Call, dict[str, Binding]] = {}
        self._said_macros = {b.name: b for b in bindings if not b.parameter}
        for binding in bindings:
            if binding.parameter:
                configurable = signatures.find(binding.selector, binding.where)
                call = Call(binding.scope, configurable)
                self._said.setdefault(call, {})[binding.parameter] = binding
        for name, given in _GIVEN.items():
            self._enter("", name, given)
        for call, said in list(self._said.items()):
            if not _is_ours(call.configurable):  # Their own code may call it.
                self._enter(call.scope, next(iter(said.values())).selector)

    @property
    def last(self) -> list[Binding]:
        """Of each parameter and macro the binding that counts."""
        said = [b for each in self._said.values() for b in each.values()]
        return [*self._said_macros.values(), *said]

    def unread(self) -> list[Binding]:
        """The bindings that nothing reads; the user's knobs may always stay unused."""
        read = {id(b) for each in self.calls.values() for b in each.values()}
        read |= {id(b) for b in self.macros.values()}
        return [b for b in self.last if id(b) not in read and b.name not in KNOBS]

    def readers(self, binding: Binding) -> list[str]:
        """The names under which its parameter is read, of its class."""
        configurable = signatures.find(binding.selector, binding.where)
        found = [call for call in self.calls if call.configurable is configurable]
        return [
            f"{_scoped(c.scope, binding.selector)}.{binding.parameter}" for c in found
        ]

    def _enter(self, scope: str, name: str, given: Collection[str] = ()) -> None:
        configurable = signatures.find(name, "the recipe")
        call = Call(scope, configurable)
        if call in self.calls:
            return
        self.names.setdefault(configurable, name)
        parts = scope.split("/") if scope else []
        found: dict[str, Binding] = {}
        for end in range(len(parts) + 1):
            found |= self._said.get(Call("/".join(parts[:end]), configurable), {})
        self.calls[call] = {k: b for k, b in found.items() if k not in given}
        for binding in self.calls[call].values():
            self._follow(binding.value, scope)

    def _follow(self, value: Any, scope: str) -> None:
        """Enters whatever a value names that a call in this scope reads."""
        if isinstance(value, Macro):
            binding = self._said_macros.get(value.name)
            if binding is not None:
                self.macros[value.name] = binding
                self._follow(binding.value, value.name)  # A macro is a scope to gin.
        elif isinstance(value, GinReference):
            own, _, name = value.name.rpartition("/")
            # A function is called by its receiver, there or when a step is traced.
            at = [own] if own else [scope] if value.evaluate else [scope, ""]
            for each in at:
                self._enter(each, name)
        elif isinstance(value, dict):
            for item in (*value, *value.values()):
                self._follow(item, scope)
        elif isinstance(value, list | tuple):
            for item in value:
                self._follow(item, scope)


def refuse_unread(recipe: Recipe) -> None:
    """Refuses what the command line says and nothing reads.

    Files may say more than is read: a part that another one replaces stays in them. So
    may whoever brings classes that call gin by themselves.

    Raises:
      ConfigurationError: the first of them, and what is read instead.
    """
    reach = Reach(recipe.bindings)
    for binding in reach.unread():
        if binding.where.startswith(recipe_files.PARAMS):
            remedy = _remedy(reach, binding)
            raise ConfigurationError(
                f"{binding.where}: nothing reads {binding.name}: {remedy}"
            )


def unread(config: str) -> list[str]:
    """The names of what a configuration says and nothing reads.

    Args:
      config: as one gin file that includes nothing; its names are known to gin.
    """
    return [binding.name for binding in Reach(bindings_of(config)).unread()]


def _remedy(reach: Reach, binding: Binding) -> str:
    if not binding.parameter:
        return "leave it out, or let the recipe use what it sets"
    read = reach.readers(binding)
    if read:
        return f"write {' or '.join(sorted(read))}"
    return (
        f"the recipe does not use {binding.selector}; leave it out, or name "
        f"@{binding.selector} where it belongs"
    )


def operative(config: str) -> str:
    """All that is read, with the defaults of what is called, as a recipe.

    Args:
      config: as one gin file that includes nothing; its names are known to gin.
    """
    reach = Reach(bindings_of(config))
    imports = [line for line in config.splitlines() if line.startswith("import ")]
    macros = [f"{name} = {b.value!r}" for name, b in sorted(reach.macros.items())]
    sections = ["\n".join(imports), "\n".join(macros)]
    order = {
        call: _scoped(call.scope, reach.names[call.configurable])
        for call in reach.calls
    }
    for call, name in sorted(order.items(), key=lambda item: item[1].lower()):
        values = _defaults(call) | {k: b.value for k, b in reach.calls[call].items()}
        lines = [f"{name}.{k} = {v!r}" for k, v in sorted(values.items())]
        sections.append("\n".join(lines))
    return "\n\n".join(section for section in sections if section) + "\n"


def _defaults(call: Call) -> dict[str, Any]:
    """The arguments that a call would take where nothing is said, if text can say."""
    parameters = signatures.parameters(call.configurable)
    given = _GIVEN.get(inspect.unwrap(call.configurable).__name__, ())
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in given and _is_literal(parameter.default)
    }


def _is_literal(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_literal, value))
    return type(value) in _LITERALS


def _is_ours(configurable: Callable) -> bool:
    return inspect.unwrap(configurable).__module__.split(".")[0] in _OURS


def _scoped(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name
