"""Square pictures in files: held in memory where they fit, else streamed."""

import abc
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from logan_tf import host_memory
from logan_tf.data import pixels, random_access, tfrecords
from logan_tf.errors import ConfigurationError

GIBIBYTE = 2**30
READ_AT_ONCE = 256


class Records(NamedTuple):
    """A split as serialized records.

    Attributes:
      shards: its TFRecord files.
      num_examples: in all of it.
      decode: serialized record -> (uint8 [height, width, channels], int64 label).
    """

    shards: list[tfrecords.Shard]
    num_examples: int
    decode: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class StoredImages(abc.ABC):
    """A `batch.Dataset` of pictures whose splits are 'train' and 'test' (held out).

    A class of it says how many pictures a split has, how it is read in order, and what
    its records are.
    """

    def __init__(self, *, flip: bool, limit: int, shuffle_buffer: int) -> None:
        """Reads no data.

        Args:
          flip: mirror each training picture left to right with probability 1/2.
          limit: data sets of more bytes, as pixels, are streamed instead of held.
          shuffle_buffer: records permuted at a time when streaming.

        Raises:
          ConfigurationError: a number that cannot work.
        """
        if shuffle_buffer < 1:
            raise ConfigurationError(
                f"{type(self).__name__}.shuffle_buffer must be at least 1, not "
                f"{shuffle_buffer}."
            )
        self._flip = flip
        self._limit = limit
        self._shuffle_buffer = shuffle_buffer
        self._is_streamed = False
        self._arrays: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of each picture."""

    @property
    @abc.abstractmethod
    def num_classes(self) -> int:
        """Labels are in [0, num_classes); 0 without labels."""

    @abc.abstractmethod
    def _num_examples(self, split: str) -> int | None:
        """How many there are, > 0; None where nobody knows, and they fit in memory."""

    @abc.abstractmethod
    def _records(self, split: str) -> Records:
        """The split as serialized records."""

    @abc.abstractmethod
    def _read(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The split in order, in parts of `READ_AT_ONCE`, with labels of int64."""

    @abc.abstractmethod
    def _describe(self, split: str) -> str:
        """A split's name in a message."""

    def examples(
        self,
        *,
        seed: tuple[int, int],
        first: int,
        count: int,
        rows: slice = random_access.ALL_ROWS,
    ) -> tf.data.Dataset:
        """Training pictures, number `first` on; see `batch.Dataset`."""
        known = self._num_examples("train")
        if known is not None:
            pixels.require_examples(known, count)
        if (known or 0) * math.prod(self.shape) > self._limit:
            self._is_streamed = True
            return self._stream(seed=seed, first=first, count=count, rows=rows)
        images, labels = self.arrays("train")
        return pixels.shuffled_examples(
            images,
            labels,
            seed=seed,
            first=first,
            count=count,
            rows=rows,
            flip=self._flip,
        )

    def arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """All examples of a split, in a fixed order.

        Args:
          split: 'train' or 'test' (held out).

        Returns:
          images uint8 [n, size, size, channels] and labels int32 [n]; kept in memory.

        Raises:
          ConfigurationError: no such data set or split, or other pictures than asked;
            a label without a class.
          BadDataError: the data cannot be read.
        """
        _require_split(split)
        if split not in self._arrays:
            num = self._num_examples(split) or 0
            host_memory.require(
                2 * num * math.prod(self.shape),  # Parts, and then the whole.
                f"{self._describe(split)}, {num:,} pictures,",
                "lower limit, or make the pictures smaller",
            )
            images, labels = zip(*self._checked(split), strict=True)
            self._arrays[split] = np.concatenate(images), np.concatenate(labels)
        return self._arrays[split]

    def ordered(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same examples as `arrays`, in parts: a large split is not held whole.

        Raises:
          ConfigurationError, BadDataError: as `arrays`.
        """
        _require_split(split)
        if split in self._arrays:
            images, labels = self._arrays[split]
            for first in range(0, len(images), READ_AT_ONCE):
                part = slice(first, first + READ_AT_ONCE)
                yield images[part], labels[part]
        else:
            yield from self._checked(split)

    def find_damage(self) -> str | None:
        """Reads all that is streamed for what is damaged; None: nothing."""
        if not self._is_streamed:
            return None
        return tfrecords.find_damage(self._records("train").shards)

    def _checked(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The split in order; refuses a label without a class."""
        classes = self.num_classes
        for images, labels in self._read(split):
            if classes and (labels.min() < 0 or labels.max() >= classes):
                wrong = labels.min() if labels.min() < 0 else labels.max()
                raise ConfigurationError(
                    f"{wrong} {_unclassed(classes, self._describe(split))}"
                )
            yield images, labels.astype(np.int32)

    def _require_class(
        self, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Streamed examples; their iterator refuses a label without a class."""
        lowest, highest = tf.reduce_min(labels), tf.reduce_max(labels)
        wrong = tf.strings.as_string(tf.where(lowest < 0, lowest, highest))
        # TensorFlow would escape a path or a quote.
        text = f" {_unclassed(self.num_classes, 'the training data')}"
        has_class = (lowest >= 0) & (highest < self.num_classes)
        refuse = tf.debugging.Assert(has_class, [tf.strings.join([wrong, text])])
        with tf.control_dependencies([refuse]):
            return images, tf.identity(labels)

    def _stream(
        self, *, seed: tuple[int, int], first: int, count: int, rows: slice
    ) -> tf.data.Dataset:
        shards, num_examples, decode = self._records("train")
        records = tfrecords.shuffled_records(
            shards,
            num_records=num_examples,
            seed=seed,
            first=first,
            shuffle_buffer=self._shuffle_buffer,
        )
        records = tfrecords.only_rows(records, rows, count)  # Undecoded.
        examples = records.map(decode, tf.data.AUTOTUNE, deterministic=True)
        examples = examples.batch(len(range(count)[rows]), drop_remainder=True)
        if self.num_classes:
            examples = examples.map(self._require_class)
        seed_tensor = tf.constant(seed, tf.int64)

        def finish(
            position: tf.Tensor, example: tuple[tf.Tensor, tf.Tensor]
        ) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = example
            images = pixels.to_float(images)
            if self._flip:
                words = random_access.random_words(seed_tensor, position, count)
                images = pixels.random_flip(images, words[rows])
            return images, tf.cast(labels, tf.int32)

        positions = tf.data.Dataset.range(first, tf.int64.max, count)
        return tf.data.Dataset.zip(positions, examples).map(finish)


def _require_split(split: str) -> None:
    if split not in ("train", "test"):
        raise ConfigurationError(f"split must be 'train' or 'test', not {split!r}.")


def _unclassed(num_classes: int, where: str) -> str:
    """What is said after such a label; `batch.require_intact` looks for it."""
    return (
        f"{pixels.UNCLASSED} the {num_classes} classes of {where}: use another split, "
        "or correct num_classes"
    )
