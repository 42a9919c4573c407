"""What lies beside the graphs of an exported generator, and is read without them.

`assets/receipt.json` says where it comes from and how it samples,
`assets/class_names.txt` has one name a line, and for generated points
`assets/points.npz` holds the data's modes to draw them with.

Imports no TensorFlow: a folder that is no export is refused at once.
"""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from logan_tf import small_files
from logan_tf.errors import BadDataError, ConfigurationError, first_line

FORMAT = "logan_tf_saved_model/1"
FOREIGN = (
    "is no SavedModel of bin/export: give the folder that bin/export --run_dir=RUN made"
)
_PROGRAM, _FOLDER = "saved_model.pb", "assets"
_RECEIPT, _CLASS_NAMES, _POINTS = "receipt.json", "class_names.txt", "points.npz"

# What whoever samples reads of a receipt; there is more in it.
_READ = {
    "checkpoint_step": int,
    "latent_steps": int,
    "latent_optimizer": bool,
    "conditional": bool,
    "num_classes": int,
    "image_shape": list,
}
_ARRAYS = ("modes", "sigma", "real")

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


def require_free(output: Path) -> None:
    """Raises ConfigurationError for a place that holds something else."""
    if not output.exists() or is_export(output):
        return
    if not output.is_dir() or any(output.iterdir()):
        raise ConfigurationError(
            f"{output} is there and no SavedModel of bin/export: remove it, or choose "
            "another --output"
        )


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
        found = small_files.read_json(receipt)
        if found["format"] != FORMAT:
            raise ConfigurationError(
                f"{path} is of the format {found['format']!r}, not {FORMAT!r}: export "
                "it again"
            )
        small_files.require_kinds(found, _READ)
        small_files.require_numbers(found["image_shape"])
    except ConfigurationError:
        raise
    except small_files.GARBLED as error:
        raise BadDataError(
            f"{receipt} cannot be read ({first_line(error)}): export it again"
        ) from error
    return found


def read_class_names(path: str | os.PathLike[str]) -> list[str]:
    """The classes' names by number; none where the file is gone.

    Raises:
      BadDataError: the file is garbled.
    """
    names = Path(path) / _FOLDER / _CLASS_NAMES
    try:
        return small_files.read_text(names).split("\n")[:-1] if names.is_file() else []
    except small_files.GARBLED as error:
        raise BadDataError(
            f"{names} cannot be read ({first_line(error)}): export it again"
        ) from error


def read_points(path: str | os.PathLike[str]) -> Points | None:
    """The modes to draw generated points with; None where pictures are generated.

    Raises:
      BadDataError: their file is garbled.
    """
    points = Path(path) / _FOLDER / _POINTS
    if not points.is_file():
        return None
    try:
        arrays = small_files.read_arrays(points)
        found = {name: np.asarray(arrays[name], float) for name in _ARRAYS}
        shapes = {name: array.shape[1:] for name, array in found.items()}
        if shapes != {"modes": (2,), "sigma": (), "real": (2,)}:
            raise ValueError("other arrays")
        if not all(np.isfinite(array).all() for array in found.values()):
            raise ValueError("NaN or Inf")
        return found
    except (*small_files.GARBLED, zipfile.BadZipFile, MemoryError) as error:
        raise BadDataError(
            f"{points} cannot be read ({first_line(error)}): export it again"
        ) from error
