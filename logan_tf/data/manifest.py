"""`dataset.json`, without which a folder is no data set of `bin/prepare`.

It lists the TFRecord files, each with its number of pictures, size and SHA-256, and
says what the pictures are. Imports no TensorFlow: what cannot work is refused at once.
"""

import dataclasses
import hashlib
import json
import os
import stat
import struct
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, TypeVar

from logan_tf import small_files
from logan_tf.errors import BadDataError, ConfigurationError

T = TypeVar("T")

FORMAT = "logan_tf_images/1"
NAME = "dataset.json"
UNFINISHED = "unfinished"
CHANNELS = 3
ENCODING = "png"
PREPROCESSING = "central square, area"
SPLITS = ("train", "test")
MOST_PIXELS = 4096  # of a side; more is a mistake
_AT_ONCE = 16  # files whose records are counted
_LEAST_BYTES = 16  # of a record: its length and two checksums


@dataclasses.dataclass(frozen=True)
class File:
    """A TFRecord file.

    Attributes:
      name: in the data set's folder.
      examples: records in it.
      bytes: its size.
      sha256: of its content, in hexadecimal digits.
    """

    name: str
    examples: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        """Refuses what no file can be; a manifest or a note may say anything."""
        if Path(self.name).name != self.name:  # Nothing outside of the folder.
            raise ValueError
        # More records than fit into the file would be waited for.
        if _count(self.examples) * _LEAST_BYTES > _count(self.bytes):
            raise ValueError
        _of_type(str, self.sha256)


@dataclasses.dataclass(frozen=True)
class Split:
    """The pictures to train on, or those held out.

    Attributes:
      class_counts: pictures of each class; of one class where there are no labels.
      files: in the order of their pictures.
    """

    class_counts: tuple[int, ...]
    files: tuple[File, ...]

    @property
    def examples(self) -> int:
        return sum(self.class_counts)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a finished folder holds.

    Attributes:
      identity: says which pictures these are, wherever the folder lies.
      size: side of the square pictures.
      class_names: in the order of the labels; empty without labels.
      settings: what bin/prepare was asked for.
      splits: 'train' and 'test'.
      skipped: pictures that were set aside.
      enlarged: pictures that were smaller than `size`.
    """

    identity: str
    size: int
    class_names: tuple[str, ...]
    settings: dict[str, Any]
    splits: dict[str, Split]
    skipped: int
    enlarged: int

    def text(self) -> str:
        """As `dataset.json`."""
        fields = {
            "format": FORMAT,
            "channels": CHANNELS,
            "encoding": ENCODING,
            "preprocessing": PREPROCESSING,
            **dataclasses.asdict(self),
        }
        return json.dumps(fields, indent=1, allow_nan=False) + "\n"


def read(folder: Path) -> Manifest:
    """The manifest of a finished folder, each of whose files has its size.

    Raises:
      ConfigurationError: no such folder, or none of `bin/prepare`, or unfinished, or
        of another format; labels without a class.
      BadDataError: the manifest is garbled; a file is missing or has another size.
    """
    path = folder / NAME
    if not path.is_file():
        raise ConfigurationError(_missing(folder))
    try:
        fields = small_files.read_json(path)
        found = fields["format"]
        if found != FORMAT:
            raise ConfigurationError(
                f"{path} is of the format {found!r}, not {FORMAT!r}: prepare the "
                "pictures again"
            )
        manifest = _manifest(fields)
    except ConfigurationError:
        raise
    except small_files.GARBLED as error:
        raise BadDataError(
            f"{path} cannot be read ({type(error).__name__}): put an intact copy in "
            "its place, or prepare the pictures again"
        ) from error
    _require_labels(path, manifest)
    _require_files(folder, manifest)
    return manifest


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_records(folder: Path, split: Split) -> None:
    """Counts the records of a split's files by their lengths, reading nothing else.

    Raises:
      BadDataError: a file holds more or less of them than the manifest says.
    """
    paths = [folder / file.name for file in split.files]
    with ThreadPool(_AT_ONCE) as pool:
        counts = pool.map(_num_records, paths)
    for path, file, found in zip(paths, split.files, counts, strict=True):
        if found != file.examples:
            number = "no whole" if found is None else f"{found:,}"
            raise BadDataError(
                f"{path} is damaged, or {NAME} is ({number} pictures there, "
                f"{file.examples:,} said to be): put intact copies in their place, or "
                "prepare the pictures again in another folder"
            )


def _num_records(path: Path) -> int | None:
    """The records of a TFRecord file; None if the last one ends elsewhere."""
    number = at = 0
    with path.open("rb") as file:
        descriptor, size = file.fileno(), os.fstat(file.fileno()).st_size
        while at < size:
            # The length, its checksum (4 bytes), the content, its checksum (4).
            (length,) = struct.unpack("<Q", os.pread(descriptor, 8, at).ljust(8))
            at += _LEAST_BYTES + length
            number += 1
    return number if at == size else None


def _missing(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder}: make it with bin/prepare --output=DIR"
    if (folder / UNFINISHED).is_dir():
        return f"{folder} is unfinished: give the same command bin/prepare again"
    return f"{folder} has no {NAME}: make a data set with bin/prepare --output=DIR"


def _manifest(fields: dict[str, Any]) -> Manifest:
    """The manifest of these fields; whatever is no manifest raises."""
    splits = {
        name: Split(
            tuple(_count(n) for n in fields["splits"][name]["class_counts"]),
            tuple(_file(file) for file in fields["splits"][name]["files"]),
        )
        for name in SPLITS
    }
    for split in splits.values():
        if split.examples != sum(file.examples for file in split.files):
            raise ValueError
    if not 1 <= _count(fields["size"]) <= MOST_PIXELS:
        raise ValueError
    return Manifest(
        identity=_of_type(str, fields["identity"]),
        size=fields["size"],
        class_names=tuple(
            _of_type(str, name) for name in _of_type(list, fields["class_names"])
        ),
        settings=_of_type(dict, fields["settings"]),
        splits=splits,
        skipped=_count(fields["skipped"]),
        enlarged=_count(fields["enlarged"]),
    )


def _file(fields: dict[str, Any]) -> File:
    return File(fields["name"], fields["examples"], fields["bytes"], fields["sha256"])


def _count(value: Any) -> int:
    if _of_type(int, value) < 0:
        raise ValueError
    return value


def _of_type(wanted: type[T], value: Any) -> T:
    if type(value) is not wanted:  # Nor is True a number.
        raise TypeError
    return value


def _require_labels(path: Path, manifest: Manifest) -> None:
    named = max(len(manifest.class_names), 1)
    for split in manifest.splits.values():
        if len(split.class_counts) != named:
            raise ConfigurationError(
                f"{path} has labels 0 to {len(split.class_counts) - 1} and "
                f"{len(manifest.class_names)} class_names: give each class its name"
            )


def _require_files(folder: Path, manifest: Manifest) -> None:
    for split in manifest.splits.values():
        for file in split.files:
            path = folder / file.name
            try:
                status = path.stat()
                size = status.st_size if stat.S_ISREG(status.st_mode) else None
            except (OSError, ValueError):  # No name of a file.
                size = None
            if size != file.bytes:
                what = "is missing" if size is None else "is damaged"
                raise BadDataError(
                    f"{path} {what}: put an intact copy in its place, or prepare the "
                    "pictures again in another folder"
                )
