"""Pictures on disk, written in order and read in any: never in memory all at once."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from logan_tf.errors import BadDataError


class PictureFile:
    """uint8 pictures of one shape, one after the other in a plain file.

    Its length says how many there are. Reading maps the file, so that what is in memory
    is the operating system's choice. ImageNet's 1,281,167 pictures of 128×128 take
    59 GiB.

    Args:
      path: of the file; need not exist.
      shape: (height, width, channels) of a picture.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path = path
        self.shape = tuple(shape)
        self._bytes = int(np.prod(shape))

    def __len__(self) -> int:
        """How many whole pictures there are."""
        return self.path.stat().st_size // self._bytes if self.path.is_file() else 0

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
        self, first: int, parts: Iterable[np.ndarray], written: Callable[[int], None]
    ) -> None:
        """Writes pictures behind the first ones, in place of what follows them.

        Args:
          first: how many of those that are there stay.
          parts: uint8 [n, height, width, channels] each.
          written: is told how many were in each part.

        Raises:
          BadDataError: the disk is full, or cannot be written to.
        """
        try:
            with self.path.open("ab") as file:
                file.truncate(first * self._bytes)
                for images in parts:
                    assert (images.dtype, images.shape[1:]) == (np.uint8, self.shape)
                    file.write(images.tobytes())
                    written(len(images))
        except OSError as error:
            raise BadDataError(
                f"cannot write the training set to {self.path} ({error.strerror}): "
                "make room there, or give another --work_dir"
            ) from error

    def mapped(self) -> np.ndarray:
        """All of them, uint8 [n, height, width, channels], read as they are needed."""
        return np.memmap(self.path, np.uint8, "r", shape=(len(self), *self.shape))
