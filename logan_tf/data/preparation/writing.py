"""Writes pictures once, at their size, as TFRecords; can be killed at any moment.

Which pictures go into which file is fixed before the first is read. A file is written
in the folder `unfinished` and moved to its place, then a note of what it holds: only
with its note, and as the note says, it is taken for whole. `dataset.json` comes last.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from logan_tf import atomic_file, small_files
from logan_tf.data import manifest as manifests
from logan_tf.data.manifest import Manifest
from logan_tf.errors import BadDataError, ConfigurationError, first_line

SKIPPED = "skipped.txt"
_PLAN = "plan.json"
_PER_FILE = 1024  # pictures; of 128 pixels some 30 MB


class Picture(NamedTuple):
    """A picture as it is written.

    Attributes:
      name: of its file, as bytes; empty without one.
      png: uint8 [size, size, 3], encoded without loss.
      label: its class.
      enlarged: whether it was smaller.
    """

    name: bytes
    png: bytes
    label: int
    enlarged: bool


class Skipped(NamedTuple):
    """A file that is no picture, and why."""

    name: str
    reason: str


class PictureSource(Protocol):
    """Where pictures come from, in an order that never changes.

    Attributes:
      settings: all that the result depends on, as JSON.
      class_names: of the labels; empty without.
      planned: how many there are to read, of 'train' and 'test'.
    """

    settings: dict[str, Any]
    class_names: list[str]
    planned: dict[str, int]

    def pictures(
        self, split: str, start: int, stop: int
    ) -> Iterator[Picture | Skipped]:
        """Those number `start` to `stop` - 1 of a split."""

    def identity(self, content: str) -> str:
        """Says which pictures these are; `content` is a hash of them all."""


class Planned(NamedTuple):
    """A file to be: pictures `start` to `stop` - 1 of a split."""

    name: str
    split: str
    start: int
    stop: int


@dataclasses.dataclass(frozen=True)
class _Note:
    """What a written file holds, beside it until all are written."""

    file: manifests.File
    class_counts: dict[str, int]
    enlarged: int
    skipped: list[list[str]]

    @classmethod
    def read(cls, path: Path) -> "_Note":
        fields = small_files.read_json(path)
        note = cls(**fields | {"file": manifests.File(**fields["file"])})
        is_whole = sum(note.class_counts.values()) == note.file.examples
        if not is_whole or note.enlarged > note.file.examples:
            raise ValueError
        skipped = [[*Skipped(*map(str, entry))] for entry in note.skipped]
        return dataclasses.replace(note, skipped=skipped)


def planned_files(planned: dict[str, int], shards: int | None) -> list[Planned]:
    """Cuts the splits into files of nearly as many pictures each.

    Args:
      planned: pictures of each split.
      shards: files for all together, or one more; None: 1,024 pictures in each.
    """
    per_file = -(-sum(planned.values()) // shards) if shards else _PER_FILE
    files = []
    for split, num in planned.items():
        total = -(-num // per_file)
        bounds = [num * index // total for index in range(total + 1)] if total else [0]
        for index, (start, stop) in enumerate(itertools.pairwise(bounds)):
            name = f"{split}-{index:05d}-of-{total:05d}.tfrecord"
            files.append(Planned(name, split, start, stop))
    return files


class Preparation:
    """A folder on its way to a data set of `bin/prepare`."""

    def __init__(
        self, source: PictureSource, output: Path, size: int, shards: int | None = None
    ) -> None:
        """Writes nothing yet; this process alone may use `output`."""
        self.files = planned_files(source.planned, shards)
        self._source = source
        self._output = output
        self._size = size
        self._settings = source.settings | {
            "size": size,
            "shards": shards,
            "format": manifests.FORMAT,
        }
        self._unfinished = output / manifests.UNFINISHED

    def finished(self) -> Manifest | None:
        """The manifest of a finished folder, None where something is left to do.

        Raises:
          ConfigurationError: the folder holds something else than what is asked for.
          BadDataError: the folder is finished and damaged.
        """
        if (self._output / manifests.NAME).is_file():
            found = manifests.read(self._output)
            self._require_same(found.settings)
            shutil.rmtree(self._unfinished, ignore_errors=True)
            return found
        plan = self._unfinished / _PLAN
        if plan.is_file():
            try:
                settings = small_files.read_json(plan)
                self._require_same(settings)
            except ConfigurationError:
                raise
            except small_files.GARBLED as error:
                raise BadDataError(
                    f"{plan} cannot be read: delete {self._output} and begin again"
                ) from error
        elif left := [p for p in self._output.iterdir() if not _is_ours(p)]:
            raise ConfigurationError(
                f"{self._output} is no data set of bin/prepare and not empty "
                f"({left[0].name}): choose another --output"
            )
        return None

    def run(self, progress: Callable[[int, bool], None]) -> Manifest:
        """Writes what is missing, and the manifest.

        Args:
          progress: called with a number of pictures that are done, and whether this
            call did them.

        Raises:
          BadDataError: no picture can be read; the disk is full.
        """
        try:
            self._unfinished.mkdir(exist_ok=True)
            plan = json.dumps(self._settings, indent=1)
            atomic_file.write_text(self._unfinished / _PLAN, f"{plan}\n")
            notes = [self._noted(planned, progress) for planned in self.files]
            return self._finish(notes)
        except (OSError, tf.errors.OpError) as error:
            raise BadDataError(
                f"{self._output} cannot be written ({first_line(error)}): make room or "
                "choose another --output; the same command goes on"
            ) from error

    def _require_same(self, found: dict[str, Any]) -> None:
        for key in {**self._settings, **found}:
            ours, theirs = self._settings.get(key), found.get(key)
            if ours == theirs:
                continue
            if key == "listing":
                what = "other pictures than are in the folder now"
            else:
                what = f"pictures made with {key} {theirs}, not {ours}"
            raise ConfigurationError(
                f"{self._output} holds {what}: choose another --output, or delete it"
            )

    def _noted(self, planned: Planned, progress: Callable[[int, bool], None]) -> _Note:
        """Writes a file unless it is there, whole."""
        path = self._unfinished / f"{planned.name}.json"
        try:
            note = _Note.read(path)
            if manifests.checksum(self._output / planned.name) == note.file.sha256:
                progress(planned.stop - planned.start, False)
                return note
        except small_files.GARBLED:
            pass  # Made again.
        note = self._write(planned, progress)
        atomic_file.write_text(path, json.dumps(dataclasses.asdict(note)))
        return note

    def _write(self, planned: Planned, progress: Callable[[int, bool], None]) -> _Note:
        temporary = self._unfinished / planned.name
        counts = dict.fromkeys(map(str, range(len(self._source.class_names) or 1)), 0)
        skipped, examples, enlarged = [], 0, 0
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for picture in self._source.pictures(*planned[1:]):
                if isinstance(picture, Skipped):
                    skipped.append([*picture])
                else:
                    writer.write(record(picture))
                    counts[str(picture.label)] += 1
                    examples += 1
                    enlarged += picture.enlarged
                progress(1, True)
        file = manifests.File(
            planned.name,
            examples,
            temporary.stat().st_size,
            manifests.checksum(temporary),
        )
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, self._output / planned.name)
        return _Note(file, {k: n for k, n in counts.items() if n}, enlarged, skipped)

    def _finish(self, notes: list[_Note]) -> Manifest:
        skipped = sorted(entry for note in notes for entry in note.skipped)
        self._publish(SKIPPED, "".join(f"{name}\t{why}\n" for name, why in skipped))
        splits = {
            split: self._split(
                note
                for planned, note in zip(self.files, notes, strict=True)
                if planned.split == split
            )
            for split in manifests.SPLITS
        }
        if splits["train"].examples == 0:
            raise BadDataError(
                f"none of the {len(skipped)} pictures to train on can be used: see "
                f"{self._output / SKIPPED}"
            )
        content = "".join(note.file.sha256 for note in notes)
        found = Manifest(
            identity=self._source.identity(
                hashlib.sha256(content.encode()).hexdigest()
            ),
            size=self._size,
            class_names=tuple(self._source.class_names),
            settings=self._settings,
            splits=splits,
            skipped=len(skipped),
            enlarged=sum(note.enlarged for note in notes),
        )
        self._publish(manifests.NAME, found.text())
        shutil.rmtree(self._unfinished)
        return found

    def _split(self, notes: Iterable[_Note]) -> manifests.Split:
        notes = list(notes)
        classes = range(len(self._source.class_names) or 1)
        return manifests.Split(
            tuple(
                sum(note.class_counts.get(str(label), 0) for note in notes)
                for label in classes
            ),
            tuple(note.file for note in notes),
        )

    def _publish(self, name: str, text: str) -> None:
        """Writes into `unfinished`, where a kill may leave a half, then moves."""
        atomic_file.write_text(self._unfinished / name, text)
        os.replace(self._unfinished / name, self._output / name)


def record(picture: Picture) -> bytes:
    """A picture as a serialized tf.train.Example: image, label, name."""
    features = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture.png])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[picture.label])),
        "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture.name])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _is_ours(path: Path) -> bool:
    """What the first moments of an earlier attempt may have left."""
    return path.name in ("lock", manifests.UNFINISHED)
