"""Where recipes lie, and how their files are found."""

from collections.abc import Sequence
from pathlib import Path

from logan_tf.errors import ConfigurationError, suggestion

RECIPES = Path(__file__).resolve().parents[2] / "gin"


def find(name: str) -> Path:
    """The path of a recipe: as given, or in the `gin` folder, with or without `.gin`.

    Raises:
      ConfigurationError: if there is none; it names the closest.
    """
    candidates = [Path(name), RECIPES / name, RECIPES / f"{name}.gin"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    asked = Path(name).as_posix().removeprefix(f"{RECIPES.name}/")
    raise ConfigurationError(
        f"there is no gin file {name!r}{suggestion(asked, _shipped())}"
    )


def find_included(name: str, files: Sequence[Path], where: str) -> Path:
    """The path of a file that recipes include: here, beside them, in the `gin` folder.

    Args:
      name: as the statement says.
      files: the recipes that were asked for.
      where: the statement, for the error.

    Raises:
      ConfigurationError: if there is none; it names the closest.
    """
    for folder in (Path("."), *(path.parent for path in files), RECIPES):
        if (folder / name).is_file():
            return folder / name
    raise ConfigurationError(
        f"{where}: there is no file {name!r} to include{suggestion(name, _shipped())}"
    )


def _shipped() -> list[str]:
    return [path.relative_to(RECIPES).as_posix() for path in RECIPES.rglob("*.gin")]
