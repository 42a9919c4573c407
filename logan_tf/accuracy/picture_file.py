"""Pictures on disk, written in order and read in any: never in memory all at once."""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from logan_tf import atomic_file
from logan_tf.errors import BadDataError

_SYNC_BYTES = 2**26  # between two notes of what is safely written


class PictureFile:
    """uint8 pictures of one shape, one after the other in a plain file.

    A neighbor, `<name>.json`, notes how many are safely on the disk: after a kill at
    any moment, writing goes on from there. Reading maps the file, so that what is in
    memory is the operating system's choice. ImageNet's 1,281,167 pictures of 128×128
    take 59 GiB.

    Args:
      path: of the file; need not exist.
      shape: (height, width, channels) of a picture.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path = path
        self.shape = tuple(shape)
        self._bytes = int(np.prod(shape))
        self._note = path.with_name(f"{path.name}.json")
        self._mapped: np.ndarray | None = None

    def __len__(self) -> int:
        """How many pictures are safely written."""
        try:
            noted = int(json.loads(self._note.read_text(encoding="utf-8"))["pictures"])
            return noted if self.path.stat().st_size >= noted * self._bytes else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def require_room(self, num_pictures: int) -> None:
        """Raises BadDataError where the disk cannot hold so many pictures."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        missing = (num_pictures - len(self)) * self._bytes
        free = shutil.disk_usage(self.path.parent).free
        if missing > free:
            raise BadDataError(
                f"the training set takes {missing / 2**30:.1f} GiB and there are "
                f"{free / 2**30:.1f} at {self.path.parent}: give another --work_dir"
            )

    def extend(
        self, parts: Iterable[np.ndarray], written: Callable[[int], None]
    ) -> None:
        """Appends pictures behind those that are safely written.

        Args:
          parts: uint8 [n, height, width, channels] each; a resume goes on between
            two parts.
          written: is told how many were in each part.

        Raises:
          BadDataError: the disk is full, or cannot be written to.
        """
        count, pending = len(self), 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("r+b" if self.path.exists() else "w+b") as file:
                file.truncate(count * self._bytes)
                file.seek(count * self._bytes)
                for images in parts:
                    self._require(images)
                    file.write(images.tobytes())
                    count += len(images)
                    pending += images.nbytes
                    if pending >= _SYNC_BYTES:
                        self._sync(file, count)
                        pending = 0
                    written(len(images))
                self._sync(file, count)
        except OSError as error:
            raise BadDataError(
                f"cannot write the training set to {self.path} ({error.strerror}): "
                "make room there, or give another --work_dir"
            ) from error

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Pictures uint8 [n, height, width, channels] by their integer indices [n]."""
        if self._mapped is None:
            whole = (len(self), *self.shape)
            self._mapped = np.memmap(self.path, np.uint8, "r", shape=whole)
        return np.asarray(self._mapped[indices])

    def _require(self, images: np.ndarray) -> None:
        if images.dtype != np.uint8 or images.shape[1:] != self.shape:
            raise BadDataError(
                f"pictures are {images.dtype} {images.shape[1:]} where uint8 "
                f"{self.shape} is wanted: the data set changes its shape on the way"
            )

    def _sync(self, file: BinaryIO, count: int) -> None:
        file.flush()
        os.fsync(file.fileno())
        atomic_file.write_text(self._note, json.dumps({"pictures": count}) + "\n")
