"""The page about a run, as `bin/report` writes it and other commands refresh it."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from logan_tf.configuration import recipe, recipe_files
from logan_tf.errors import ConfigurationError, DivergedError, PreemptedError
from logan_tf.runs.run_directory import RunDirectory


def write(directory: RunDirectory, modules: Sequence[str] = ()) -> Path:
    """Writes `report.html` and returns its path.

    Args:
      directory: of a run.
      modules: those that its configuration may name.

    Raises:
      OSError: if it cannot be written.
    """
    # matplotlib takes a second to import, and not every run gets as far as here.
    from logan_tf.report import report

    macros = _macros(directory, modules)
    return report.write(directory, macros, _given(directory.recipe(), macros))


def refresh(directory: RunDirectory, modules: Sequence[str] = ()) -> None:
    """Writes the page; where that fails, it warns in one line."""
    try:
        write(directory, modules)
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        print(f"warning: no {directory.report.name} ({cause})", file=sys.stderr)


@contextlib.contextmanager
def refreshed(
    directory: RunDirectory, modules: Sequence[str] = (), wanted: bool = True
) -> Iterator[None]:
    """Writes the page after a block, also if it was interrupted or diverged.

    Args:
      directory: that the block makes a run in.
      modules: those that its configuration may name.
      wanted: False: does nothing; one process of several writes.
    """
    try:
        yield
    except (PreemptedError, DivergedError):
        if wanted and directory.exists():
            refresh(directory, modules)
        raise
    if wanted:
        refresh(directory, modules)


def _macros(directory: RunDirectory, modules: Sequence[str]) -> dict[str, object]:
    """The recipe's, its knobs first, as far as it can be read."""
    try:
        found = recipe.read([str(directory.config)], [], modules).macros()
    except ConfigurationError:
        return {}
    knobs = {name: found.pop(name) for name in recipe.KNOBS if name in found}
    return knobs | found


def _given(name: str, macros: Mapping[str, object]) -> list[str]:
    """The macros that are not as the parts of a recipe that comes along have them.

    A part binds a macro before what includes it does, so the first value is the part's.
    Of a recipe of one's own nobody knows the parts: none.
    """
    if (path := recipe_files.shipped(name)) is None:
        return []
    defaults: dict[str, object] = {}
    for binding in recipe.read([str(path)], [], []).bindings:
        if not binding.parameter:
            defaults.setdefault(binding.name, binding.value)
    unset = object()
    return [name for name, x in macros.items() if x != defaults.get(name, unset)]
