"""What `bin/prepare` reads: a folder of image files, or a data set of TFDS."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from logan_tf.data import manifest, pixels, prepared
from logan_tf.data.manifest import CHANNELS, PREPROCESSING
from logan_tf.data.preparation import folders, image_files
from logan_tf.data.preparation.writing import Picture, Skipped
from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import ConfigurationError


class PixelBudget:
    """Bounds what many threads hold at once.

    Args:
      most: pixels of them all together; one picture alone may have more.
    """

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, num_pixels: int) -> Iterator[None]:
        """Waits until so many are left, and has them for the block."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._taken or self._taken + num_pixels <= self._most
            )
            self._taken += num_pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= num_pixels
                self._changed.notify_all()


class FolderSource:
    """Image files; see `record_writing.Source`.

    Which are held out and their order are the hashes' of their names, so that neither
    depends on the other files, and each TFRecord file has pictures of all classes.
    """

    def __init__(
        self,
        folder: Path,
        listing: folders.Listing,
        size: int,
        test_share: float = 0.0,
        max_pixels: int = image_files.MAX_PIXELS,
    ) -> None:
        """Reads the files for their checksums, and decodes none.

        Args:
          folder: where the files are.
          listing: of the folder.
          size: side of the pictures.
          test_share: of the files that are held out, in [0, 1).
          max_pixels: larger pictures are set aside, and so many pixels are in memory
            at once, 10 to 20 bytes each; to be read within `pixel_cap`.

        Raises:
          ConfigurationError: no file is left to train on.
        """
        self.class_names = listing.class_names
        self.settings: dict[str, Any] = {
            "listing": _fingerprint(folder, listing),
            "test_share": test_share,
            "max_pixels": max_pixels,
        }
        self._folder = folder
        self._listing = listing
        self._size = size
        self._in_flight = PixelBudget(max_pixels)
        self._chosen: dict[str, list[int]] = {"train": [], "test": []}
        hashes = [_hash(name) for name in listing.names]
        for number in sorted(range(len(hashes)), key=hashes.__getitem__):
            held_out = int.from_bytes(hashes[number][:8]) < test_share * 2**64
            self._chosen["test" if held_out else "train"].append(number)
        self.planned = {split: len(chosen) for split, chosen in self._chosen.items()}
        if not self.planned["train"]:
            raise ConfigurationError(
                f"test_share {test_share} holds out all {len(hashes)} pictures: lower "
                "it"
            )

    def pictures(
        self, split: str, start: int, stop: int
    ) -> Iterator[Picture | Skipped]:
        with ThreadPool(_num_threads()) as pool:  # Decoding and encoding free the GIL.
            yield from pool.imap(self._convert, self._chosen[split][start:stop])

    def identity(self, content: str) -> str:
        size = f"{self._size}x{self._size}x{CHANNELS}"
        return f"images {content[:16]} train {size} {PREPROCESSING}"

    def _convert(self, number: int) -> Picture | Skipped:
        name = self._listing.names[number]
        label, path = self._listing.labels[number], self._folder / name
        with self._in_flight.taken(image_files.num_pixels(path)):
            try:
                image = image_files.read(path)
            except image_files.UnusableError as error:
                return Skipped(folders.readable(name), str(error))
            return _encode(image, label, self._size, os.fsencode(name))


class TFDSSource:
    """Pictures of TFDS; see `record_writing.Source`.

    They are those of `TFDSImages`, in the same order, so they have its identity too.
    """

    def __init__(
        self,
        name: str,
        size: int,
        split: str = "train",
        test_split: str = "test",
        data_dir: str | None = None,
    ) -> None:
        """Prepares the data set if need be.

        Args:
          name: as TFDS knows it.
          size: side of the pictures.
          split: what to train on, without a slice.
          test_split: what is held out; empty: nothing.
          data_dir: where TFDS keeps prepared data; None is TFDS's own default.

        Raises:
          ConfigurationError: no such data set or split, or other pictures.
          BadDataError: the data is not there and cannot be prepared.
        """
        self._name, self._size, self._data_dir = name, size, data_dir
        self._splits = {"train": split, "test": test_split}
        whole = self._images(split, test_split)
        builder = prepared.prepare_builder(name, data_dir)
        known = builder.info.splits
        for asked in filter(None, (split, test_split)):
            if asked not in known:
                raise ConfigurationError(
                    f"{name} has no split {asked!r}: use one of {', '.join(known)}"
                    f"{'' if asked == split else ', or none: --test_split='}"
                )
        self.planned = {
            key: known[of].num_examples if of else 0 for key, of in self._splits.items()
        }
        self._classes = whole.num_classes
        self.class_names = whole.class_names or list(map(str, range(self._classes)))
        self._identity = whole.identity
        self.settings: dict[str, Any] = {
            "tfds": builder.info.full_name,
            "split": split,
            "test_split": test_split,
        }

    def pictures(self, split: str, start: int, stop: int) -> Iterator[Picture]:
        part = f"{self._splits[split]}[{start}:{stop}]"
        with ThreadPool(_num_threads()) as pool:
            for images, labels in self._images(part, part).ordered("train"):
                pairs = zip(images, labels, strict=True)
                yield from pool.imap(lambda pair: _encode(*pair, self._size), pairs)

    def identity(self, content: str) -> str:
        del content  # TFDS's name and version say it.
        return self._identity

    def _images(self, split: str, test_split: str) -> TFDSImages:
        return TFDSImages(
            self._name,
            self._size,
            CHANNELS,
            split=split,
            test_split=test_split,
            data_dir=self._data_dir,
        )


def _encode(image: np.ndarray, label: int, size: int, name: bytes = b"") -> Picture:
    with tf.device("CPU:0"):
        png = tf.io.encode_png(pixels.resize(image, size)).numpy()
    return Picture(name, png, int(label), min(image.shape[:2]) < size)


def _fingerprint(folder: Path, listing: folders.Listing) -> str:
    """Of the files' names, classes and contents, all of which are read."""
    digest = hashlib.sha256()
    with ThreadPool(_num_threads()) as pool:
        contents = pool.imap(_content, (folder / name for name in listing.names))
        for name, label, content in zip(
            listing.names, listing.labels, contents, strict=True
        ):
            digest.update(b"%s\0%d\0" % (os.fsencode(name), label))
            digest.update(content.encode())
    return digest.hexdigest()


def _content(path: Path) -> str:
    """A file's checksum; nothing of a pipe, or of what the reader will not open."""
    try:
        return manifest.checksum(path) if path.is_file() else ""
    except OSError:
        return ""


def _hash(name: str) -> bytes:
    return hashlib.sha256(os.fsencode(name.replace(os.sep, "/"))).digest()


def _num_threads() -> int:
    """As many as there are cores."""
    return min(os.cpu_count() or 1, 16)
