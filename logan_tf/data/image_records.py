"""Pictures that `bin/prepare` has written."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from logan_tf.data import manifest, pixels, tfrecords
from logan_tf.data.manifest import CHANNELS, Manifest
from logan_tf.data.stored_images import GIBIBYTE, READ_AT_ONCE, Records, StoredImages
from logan_tf.errors import BadDataError, ConfigurationError

_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


class ImageRecords(StoredImages):
    """Square pictures of a folder made by `bin/prepare`, RGB or gray.

    Without class folders there are no classes, and each example has label 0.
    """

    def __init__(
        self,
        path: str | None,
        size: int | None = None,
        channels: int = CHANNELS,
        flip: bool = False,
        num_classes: int | None = None,
        limit: int = 2 * GIBIBYTE,
        shuffle_buffer: int = 4096,
    ) -> None:
        """Names the folder; reads nothing of it.

        Args:
          path: of the folder, ~ expanded; None where nothing will be read, as in a
            dry run.
          size: side of the pictures, which must be that of the folder; None asks it.
          channels: 3; 1: their luminance alone.
          flip: mirror each training picture left to right with probability 1/2.
          num_classes: must be that of the folder; None asks it.
          limit: data sets of more bytes, as pixels, are streamed instead of held.
          shuffle_buffer: records permuted at a time when streaming.

        Raises:
          ConfigurationError: a number that cannot work.
        """
        if size is not None:
            pixels.require_size(size)
        if channels not in (1, CHANNELS):
            raise ConfigurationError(
                f"ImageRecords.channels must be 1 or {CHANNELS}, not {channels!r}"
            )
        super().__init__(flip=flip, limit=limit, shuffle_buffer=shuffle_buffer)
        self._path = path and os.path.expanduser(path)
        self._size = size
        self._channels = channels
        self._given_classes = num_classes
        self._counted: set[str] = set()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(size, size, channels). Asks the folder unless the size was given."""
        size = self._manifest.size if self._size is None else self._size
        return size, size, self._channels

    @property
    def num_classes(self) -> int:
        """Labels are in [0, num_classes). Asks the folder unless given."""
        if self._given_classes is not None:
            return self._given_classes
        if self._path is None:  # A dry run: nothing will be read.
            return 0
        return len(self._manifest.class_names)

    @property
    def class_names(self) -> list[str] | None:
        """The names of the class folders, in the order of the labels; None: none."""
        try:
            return list(self._manifest.class_names) or None
        except (ConfigurationError, BadDataError):
            if self._given_classes is None:
                raise
            return None  # This is not the machine of the data.

    @property
    def identity(self) -> str:
        """Says which pictures these are, wherever the folder lies."""
        flip = ", mirrored at random to train on" if self._flip else ""
        gray = ", gray" if self._channels == 1 else ""
        return f"{self._manifest.identity}{gray}{flip}"

    def find_damage(self) -> str | None:
        """Reads all files for the first that is not as it was written; None: none."""
        for split in self._manifest.splits.values():
            for file in split.files:
                path = self._folder / file.name
                try:
                    is_whole = manifest.checksum(path) == file.sha256
                except OSError:
                    is_whole = False
                if not is_whole:
                    return str(path)
        return None

    @property
    def _folder(self) -> Path:
        if self._path is None:
            raise ConfigurationError(
                "the pictures' folder is not known: set data_dir to what bin/prepare "
                "--output=DIR has made"
            )
        return Path(self._path)

    @functools.cached_property
    def _manifest(self) -> Manifest:
        found = manifest.read(self._folder)
        if self._size not in (None, found.size):
            raise ConfigurationError(
                f"{self._path} has pictures of {found.size} pixels, not {self._size}: "
                f"set image_size = {found.size} (ImageRecords.size), or prepare them "
                "again with another --size"
            )
        classes = len(found.class_names)
        if self._given_classes not in (None, classes):
            raise ConfigurationError(
                f"{self._path} has {classes} classes, and ImageRecords.num_classes is "
                f"{self._given_classes}: leave it out"
            )
        return found

    def _split(self, split: str) -> manifest.Split:
        found = self._manifest.splits[split]
        if found.examples == 0:
            raise ConfigurationError(
                f"{self._describe(split)} is empty: prepare the pictures again with "
                "another --test_share"
            )
        if split not in self._counted:  # It takes seconds where there are millions.
            manifest.require_records(self._folder, found)
            self._counted.add(split)
        return found

    def _num_examples(self, split: str) -> int:
        return self._split(split).examples

    def _records(self, split: str) -> Records:
        found = self._split(split)
        shards = [
            tfrecords.Shard(str(self._folder / file.name), 0, file.examples)
            for file in found.files
            if file.examples
        ]
        return Records(shards, found.examples, self._decode)

    def _decode(self, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = tf.io.parse_single_example(record, _FEATURES)
        image = tf.io.decode_png(example["image"], CHANNELS)
        if self._channels == 1:
            image = tf.image.rgb_to_grayscale(image)
        return tf.ensure_shape(image, self.shape), example["label"]

    def _read(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        paths = [str(self._folder / file.name) for file in self._split(split).files]
        records = tf.data.TFRecordDataset(paths)
        examples = records.map(self._decode, tf.data.AUTOTUNE, deterministic=True)
        try:
            yield from examples.batch(READ_AT_ONCE).as_numpy_iterator()
        except tf.errors.OpError as error:
            where = self.find_damage() or self._path
            raise BadDataError(
                f"{where} is damaged ({type(error).__name__}): put an intact copy in "
                "its place, or prepare the pictures again in another folder"
            ) from error

    def _describe(self, split: str) -> str:
        return f"split {split!r} of {self._path}"
