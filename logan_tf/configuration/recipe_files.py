"""Where recipes lie, how their files are found, and all of them as one text."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any, NamedTuple

from gin import config_parser

from logan_tf import small_files
from logan_tf.errors import ConfigurationError, suggestion
from logan_tf.installation import RECIPES

PARAMS = "--gin_param"
"""Where a statement comes from that is in no file."""
_MOST_FILES = 100  # A recipe reads some ten; includes that double at each turn end.
_MOST_BYTES = 2**20  # of one of them; parsing takes a hundred times as much memory


def find(name: str) -> Path:
    """The path of a recipe: as given, or a shipped one, with or without gin/ and .gin.

    Raises:
      ConfigurationError: if there is none; it names the closest.
    """
    asked = Path(name).as_posix().removeprefix("gin/")
    return _first_file(
        [Path(name), RECIPES / asked, RECIPES / f"{asked}.gin"],
        f"there is no gin file {name!r}{suggestion(asked, _shipped())}",
    )


def shipped(name: str) -> Path | None:
    """The recipe that comes along under a name, such as "ring_logan"; None: none."""
    recipes = (p for p in RECIPES.rglob("*.gin") if p.parent.name != "parts")
    return next((path for path in recipes if path.stem == name), None)


def _first_file(candidates: Iterable[Path], refusal: str) -> Path:
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigurationError(refusal)


def _shipped() -> list[str]:
    return [path.relative_to(RECIPES).as_posix() for path in RECIPES.rglob("*.gin")]


class Macro(NamedTuple):
    """A value `%name`."""

    name: str

    def __repr__(self) -> str:
        return f"%{self.name}"


class GinReference(NamedTuple):
    """A value `@name` or `@name()`."""

    name: str
    evaluate: bool

    def __repr__(self) -> str:
        return f"@{self.name}{'()' if self.evaluate else ''}"


class _Delegate(config_parser.ParserDelegate):
    def configurable_reference(
        self, scoped_configurable_name: str, evaluate: bool
    ) -> GinReference:
        return GinReference(scoped_configurable_name, evaluate)

    def macro(self, macro_name: str) -> Macro:
        return Macro(macro_name)


class Text:
    """The lines of files, with those of included ones in place.

    Args:
      files: the recipes, in their order.
      params: statements that follow them.

    Attributes:
      lines: of all files.
      places: where each of them comes from.
    """

    def __init__(self, files: list[Path], params: Sequence[str]) -> None:
        self.lines: list[str] = []
        self.places: list[str] = []
        self._files = files
        self._num_read = 0
        for path in files:
            self._add_file(path)
        self._add("\n".join(p.lstrip(" ") for p in params), PARAMS)

    def _add_file(self, path: Path) -> None:
        self._num_read += 1
        if self._num_read > _MOST_FILES:
            raise ConfigurationError(
                f"{self._files[0]} includes itself, or more than {_MOST_FILES} files: "
                "include fewer"
            )
        try:
            text = small_files.read_text(path, most=_MOST_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"cannot read {path} ({error}): give a gin file, which is UTF-8 text"
            ) from error
        # Some editors begin with a mark.
        self._add(text.removeprefix("\ufeff"), str(path), path.parent)

    def _add(self, text: str, origin: str, folder: Path = Path()) -> None:
        # As the parser counts them: by line feeds alone.
        lines = io.StringIO(text if text.endswith("\n") else text + "\n").readlines()
        places = [f"{origin}, line {number + 1}" for number in range(len(lines))]
        taken = 0
        for statement, end in statements(text, origin):
            if isinstance(statement, config_parser.IncludeStatement):
                start = statement.location.line_num - 1
                self._append(lines[taken:start], places[taken:start])
                name = statement.filename
                self._add_file(self._included(name, folder, places[start]))
                taken = end
        self._append(lines[taken:], places[taken:])

    def _included(self, name: str, folder: Path, where: str) -> Path:
        """The path of a file to include: here, beside the recipes, beside the file that
        includes it, in `gin`.
        """
        given = (path.parent for path in self._files)
        folders = (Path(), *given, folder, RECIPES)
        return _first_file(
            [folder / name for folder in folders],
            f"{where}: there is no file {name!r} to include"
            f"{suggestion(name, _shipped())}",
        )

    def _append(self, lines: list[str], places: list[str]) -> None:
        """Refuses what would join a block at the end of the lines before."""
        said = (line for line in lines if line.strip() and line.lstrip()[0] != "#")
        if next(said, "x")[0].isspace():
            raise ConfigurationError(
                f"{places[0]}: lines near an include are indented: move them left"
            )
        self.lines += lines
        self.places += places


def statements(text: str, origin: str) -> Iterator[tuple[Any, int]]:
    """gin's statements, each with the number of lines up to its end."""
    try:
        parser = config_parser.ConfigParser(text, _Delegate())
        for statement in parser:
            yield statement, parser.current_token.start[0] - 1
    except (SyntaxError, TokenError, TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(_unreadable(error, origin)) from error


def _unreadable(error: Exception, origin: str) -> str:
    """Where gin's parser stopped, and why, in one line."""
    text, line = str(error), None
    if isinstance(error, SyntaxError):
        text, line = error.msg, error.lineno
    elif isinstance(error, TokenError):
        text, (line, _) = error.args
    where = f"{origin}, line {line}" if line else origin
    # Of a value that is no literal, gin names the token in the last line.
    cause = text.strip().splitlines()[-1].strip().rstrip(".")
    return f"{where}: {cause}: a statement is name = value, with text in quotes"
