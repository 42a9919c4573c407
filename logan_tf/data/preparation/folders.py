"""The image files of a folder, and the class of each.

Imports no TensorFlow: a folder that cannot work is refused at once.
"""

import collections
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from logan_tf import small_files
from logan_tf.errors import BadDataError, ConfigurationError

LABELS = "dataset.json"  # Of StyleGAN's layout, whose folders are no classes.
_MOST_CLASSES = 2**16
# Files that somebody takes for pictures; some of their formats can only be reported.
_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "gif", "bmp", "dib"),
        *("tif", "tiff", "webp", "ppm", "pgm", "pbm", "pnm"),
        *("avif", "heic", "heif", "jp2", "jxl", "psd", "svg", "ico"),
    )
)


_SPLITS = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
)


class Listing(NamedTuple):
    """The image files of a folder.

    Attributes:
      names: paths below the folder, sorted.
      labels: the class of each; 0 without classes.
      class_names: in the order of the labels; empty without classes.
      ignored: other files, counted by suffix.
      notes: what somebody should know who thinks the folder has another layout.
    """

    names: list[str]
    labels: list[int]
    class_names: list[str]
    ignored: collections.Counter[str]
    notes: tuple[str, ...] = ()


def find(folder: Path) -> Listing:
    """Lists the image files of a folder, or of its subfolders, which are the classes.

    A class folder may have folders of its own. Files are chosen by their suffix; names
    that begin with a dot are ignored. Links are followed. Where `dataset.json` has
    labels (StyleGAN's layout), it says the classes, and folders do not.

    Raises:
      ConfigurationError: no such folder; it has no pictures, or some beside others in
        subfolders, or under two paths, or no classes but splits.
      BadDataError: `dataset.json` is garbled.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder {folder}: give the pictures' folder with --images=DIR"
        )
    ignored: collections.Counter[str] = collections.Counter()
    try:
        names = sorted(_walk(folder, ignored))
        subfolders = sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be listed ({error}): make all of it readable"
        ) from error
    if not names:
        raise ConfigurationError(
            f"{folder} has no image files ({sum(ignored.values())} others): give a "
            "folder of pictures, or of one folder for each class"
        )
    labeled = _read_labels(folder / LABELS, names)
    if labeled is not None:
        ignored.subtract([Path(LABELS).suffix])  # It is read.
        return Listing(names, *labeled, +ignored)
    classes = _classes(folder, names)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [numbers.get(name.split(os.sep, 1)[0], 0) for name in names]
    class_names = list(map(readable, classes))
    return Listing(names, labels, class_names, ignored, _notes(classes, subfolders))


def _classes(folder: Path, names: list[str]) -> list[str]:
    """The subfolders with pictures, sorted; none where pictures lie in no subfolder."""
    parts = [name.split(os.sep, 1) for name in names]
    loose = [name for name, part in zip(names, parts, strict=True) if len(part) == 1]
    classes = sorted({part[0] for part in parts if len(part) > 1})
    if loose and classes:
        raise ConfigurationError(
            f"{folder} has pictures ({readable(loose[0])}) beside folders of pictures "
            f"({readable(classes[0])}): move them into a folder of their own"
        )
    splits = [name for name in classes if name.casefold() in _SPLITS]
    if splits and (len(splits) > 1 or splits == classes):
        raise ConfigurationError(
            f"{folder} has the folders {' and '.join(splits)}, which are splits, not "
            f"classes: give one of them, --images={folder / splits[0]}"
        )
    return classes


def _notes(classes: list[str], subfolders: list[str]) -> tuple[str, ...]:
    notes = []
    if classes and all(name.isdecimal() for name in classes):
        notes.append(
            f"the folders {classes[0]} to {classes[-1]} are taken for classes; if they "
            f"are none, put their pictures into one folder, or {LABELS} beside them"
        )
    without = [
        name for name in subfolders if name not in classes and not name.startswith(".")
    ]
    if classes and without:
        number = f"{len(without)} folder{'' if len(without) == 1 else 's'}"
        notes.append(
            f"{number} without a picture, no class and no number: first "
            f"{readable(without[0])}"
        )
    return tuple(notes)


def _read_labels(path: Path, names: list[str]) -> tuple[list[int], list[str]] | None:
    """The labels of StyleGAN's `dataset.json`, and their names; None: no such file."""
    if not path.is_file():
        return None
    try:
        fields = small_files.read_json(path)
        if "labels" not in fields:  # Of somebody else.
            return None
        if fields["labels"] is None:
            return [0] * len(names), []
        known = dict(fields["labels"])
    except small_files.GARBLED as error:
        raise BadDataError(
            f"{path} cannot be read ({type(error).__name__}): put an intact copy in "
            "its place, or remove it and give each class a folder"
        ) from error
    labels: list[int] = []
    for name in names:
        label = known.get(name.replace(os.sep, "/"))
        if type(label) is not int or not 0 <= label < _MOST_CLASSES:
            raise ConfigurationError(
                f"{path} has no class number for {readable(name)}: give each picture "
                f'one from 0 to {_MOST_CLASSES - 1}, or set "labels" to null'
            )
        labels.append(label)
    return labels, list(map(str, range(max(labels) + 1)))


def readable(name: str) -> str:
    """A file's name as one line of UTF-8."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _walk(folder: Path, ignored: collections.Counter[str]) -> Iterator[str]:
    """Paths of image files below a folder; counts the others."""

    def fail(error: OSError) -> None:
        raise error

    places: dict[tuple[int, int], str] = {}
    for parent, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        status = os.stat(parent)
        place = places.setdefault((status.st_dev, status.st_ino), parent)
        if place != parent:
            if not Path(parent).is_relative_to(place):  # Else a circle, and known.
                raise ConfigurationError(
                    f"{readable(parent)} and {readable(place)} are one folder, by a "
                    "link: remove one of them, or its pictures would come twice"
                )
            folders.clear()
            continue
        # In order: which of two paths to a folder comes first must not be chance.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = os.path.relpath(parent, folder)
        prefix = "" if below == os.curdir else below + os.sep
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith(".") or suffix not in _SUFFIXES:
                ignored[readable(suffix or name)] += 1
            else:
                yield prefix + name
