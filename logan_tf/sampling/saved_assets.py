"""What lies beside the graphs of an exported generator, and is read without them.

`assets/receipt.json` says where it comes from and how it samples,
`assets/class_names.txt` has one name a line, and for generated points
`assets/points.npz` holds the data's modes to draw them with.

Imports no TensorFlow: a folder that is no export is refused at once.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from logan_tf.errors import BadDataError, ConfigurationError

FORMAT = "logan_tf_saved_model/1"
FOREIGN = (
    "is no SavedModel of bin/export: give the folder that bin/export --run_dir=RUN made"
)
_PROGRAM, _FOLDER = "saved_model.pb", "assets"
_RECEIPT, _CLASS_NAMES, _POINTS = "receipt.json", "class_names.txt", "points.npz"

Points = Mapping[str, Any]
"""The arguments modes, sigma and real of `pictures.scatter`."""


def write(
    folder: Path,
    receipt: Mapping[str, Any],
    class_names: Sequence[str],
    points: Points | None = None,
) -> list[Path]:
    """Writes the files into a folder and returns their paths."""
    text = json.dumps({"format": FORMAT, **receipt}, indent=2, allow_nan=False)
    (folder / _RECEIPT).write_text(f"{text}\n", encoding="utf-8")
    names = "".join(f"{name}\n" for name in class_names)
    (folder / _CLASS_NAMES).write_text(names, encoding="utf-8")
    if points is not None:
        np.savez(folder / _POINTS, **points)
    return sorted(folder.iterdir())


def is_export(path: str | os.PathLike[str]) -> bool:
    """Whether a folder looks like an export, whole."""
    receipt = Path(path) / _FOLDER / _RECEIPT
    return (Path(path) / _PROGRAM).is_file() and receipt.is_file()


def read_receipt(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a SavedModel's receipt; runs nothing of it.

    Raises:
      ConfigurationError: no such folder, or no SavedModel of `bin/export`.
      BadDataError: the receipt is garbled.
    """
    if not is_export(path):
        raise ConfigurationError(f"{path} {FOREIGN}")
    receipt = Path(path) / _FOLDER / _RECEIPT
    try:
        found = json.loads(receipt.read_text(encoding="utf-8"))
        known = found["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadDataError(
            f"{receipt} cannot be read ({error}): export it again"
        ) from error
    if not known:
        raise ConfigurationError(
            f"{path} is of the format {found['format']!r}, not {FORMAT!r}: export it "
            "again"
        )
    return found


def read_points(path: str | os.PathLike[str]) -> Points | None:
    """The modes to draw generated points with; None where pictures are generated."""
    points = Path(path) / _FOLDER / _POINTS
    if not points.is_file():
        return None
    with np.load(points) as file:
        return dict(file)
