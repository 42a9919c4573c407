"""Any image data set of TFDS by name."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from logan_tf.data import pictures, prepared, random_access, tfrecords
from logan_tf.errors import BadDataError, ConfigurationError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

_GIBIBYTE = 2**30
_READ_AT_ONCE = 256


class TFDSImages:
    """Square pictures of a TFDS data set with the features `image` and, maybe, `label`.

    Pictures are cropped to their central square and resized. Without a class label each
    example has label 0. Data comes on the first use of it, downloaded if it is not in
    `data_dir`.
    """

    def __init__(
        self,
        name: str,
        size: int,
        channels: int = 3,
        split: str = "train",
        test_split: str = "test",
        data_dir: str | None = None,
        flip: bool = False,
        num_classes: int | None = None,
        limit: int = 2 * _GIBIBYTE,
        shuffle_buffer: int = 4096,
    ) -> None:
        """Names the data; reads none.

        Args:
            name: as TFDS knows it, such as 'cifar10'.
            size: side of the pictures in pixels.
            channels: 1 or 3; gray pictures become RGB if need be, never the reverse.
            split: what to train on; TFDS's slices ('train[:90%]') work.
            test_split: what is held out.
            data_dir: where TFDS keeps prepared data; None is TFDS's own default.
            flip: mirror each training picture left to right with probability 1/2.
            num_classes: None asks the builder; 0 if it has no class label.
            limit: data sets of more bytes, resized, are streamed instead of held.
            shuffle_buffer: records permuted at a time when streaming.

        Raises:
            ConfigurationError: a number that cannot work.
        """
        pictures.require_size(size)
        if channels not in (1, 3):
            raise ConfigurationError(f"channels must be 1 or 3, not {channels!r}.")
        if shuffle_buffer < 1:
            raise ConfigurationError(
                f"shuffle_buffer must be at least 1, not {shuffle_buffer}."
            )
        self.shape = (size, size, channels)
        self._name = name
        self._splits = {"train": split, "test": test_split}
        self._data_dir = data_dir
        self._flip = flip
        self._num_classes = num_classes
        self._limit = limit
        self._shuffle_buffer = shuffle_buffer
        self._is_streamed = False
        self._arrays: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def num_classes(self) -> int:
        """Labels are in [0, num_classes). Asks TFDS unless given; reads no data."""
        if self._num_classes is None:
            builder = prepared.find_builder(self._name, self._data_dir)
            label = _feature(builder, "label")
            self._num_classes = getattr(label, "num_classes", None) or 0
        return self._num_classes

    @property
    def class_names(self) -> list[str] | None:
        """The names of the labels, None where nobody knows any. Reads no data."""
        try:
            builder = prepared.find_builder(self._name, self._data_dir)
        except ConfigurationError:
            return None  # num_classes was given: this is not the machine of the data
        names = getattr(_feature(builder, "label"), "names", None)
        return list(names) if names and len(names) == self.num_classes else None

    def examples(
        self,
        *,
        seed: tuple[int, int],
        first: int,
        count: int,
        rows: slice = random_access.ALL_ROWS,
    ) -> tf.data.Dataset:
        """Training pictures, number `first` on; see `batch.Dataset`."""
        split = self._splits["train"]
        builder = self._builder(split)
        # Mocked builders know no splits; what they make up fits in memory.
        known = builder.info.splits[split].num_examples if builder.info.splits else 0
        if known * math.prod(self.shape) > self._limit:
            self._is_streamed = True
            return self._stream(builder, seed=seed, first=first, count=count, rows=rows)
        images, labels = self.arrays("train")
        return pictures.shuffled_examples(
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
            ConfigurationError: no such data set or split, or other pictures than asked.
            BadDataError: the data cannot be read.
        """
        if split not in self._splits:
            raise ConfigurationError(f"split must be 'train' or 'test', not {split!r}.")
        if split not in self._arrays:
            images, labels = zip(*self._read(self._splits[split]), strict=True)
            self._arrays[split] = np.concatenate(images), np.concatenate(labels)
        return self._arrays[split]

    def find_damage(self) -> str | None:
        """Reads all files that are streamed for the first damaged one; None: none."""
        if not self._is_streamed:
            return None
        builder = self._builder(self._splits["train"])
        return tfrecords.find_damage(
            _shards(builder, builder.info.splits[self._splits["train"]])
        )

    def ordered(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same examples as `arrays`, in parts: a large split is not held whole.

        Raises:
            ConfigurationError, BadDataError: as `arrays`.
        """
        if split not in self._splits:
            raise ConfigurationError(f"split must be 'train' or 'test', not {split!r}.")
        if split in self._arrays:
            images, labels = self._arrays[split]
            for first in range(0, len(images), _READ_AT_ONCE):
                part = slice(first, first + _READ_AT_ONCE)
                yield images[part], labels[part]
        else:
            yield from self._read(self._splits[split])

    @property
    def identity(self) -> str:
        """Says which pictures these are: data set, version, splits, size, crop."""
        builder = prepared.find_builder(self._name, self._data_dir)
        splits = " and ".join(self._splits.values())
        size = "x".join(map(str, self.shape))
        return f"{builder.info.full_name} {splits} {size} central square, area"

    def _builder(self, split: str) -> "tfds.core.DatasetBuilder":
        """The builder, its data on disk, after a look at the split and the features."""
        found = prepared.find_builder(self._name, self._data_dir)
        self._require_image(_feature(found, "image"))  # Before any download.
        builder = prepared.prepare_builder(self._name, self._data_dir)
        splits = builder.info.splits
        try:
            has_examples = not splits or splits[split].num_examples > 0
        except (KeyError, ValueError):
            has_examples = False
        if not has_examples:
            raise ConfigurationError(
                f"{self._name} has no examples in split {split!r}: "
                f"use one of {', '.join(splits)}."
            )
        return builder

    def _require_image(self, image: Any) -> None:
        if image is None or image.np_dtype != np.uint8 or len(image.shape) != 3:
            raise ConfigurationError(
                f"{self._name} has no feature 'image' of 8 bits a channel: use an "
                "image data set of TFDS."
            )
        stored, wanted = image.shape[-1], self.shape[-1]
        if stored not in (wanted, 1):
            remedy = "set channels=3" if stored == 3 else "use another data set"
            raise ConfigurationError(
                f"{self._name} has pictures of {stored} channels, which cannot become "
                f"{wanted}: {remedy}."
            )

    def _read(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        builder = self._builder(split)
        examples = builder.as_dataset(split=split, decoders=_decoding(builder))
        examples = examples.map(self._picture, tf.data.AUTOTUNE, deterministic=True)
        try:
            yield from examples.batch(_READ_AT_ONCE).as_numpy_iterator()
        except tf.errors.OpError as error:
            raise BadDataError(
                f"{self._name} in {builder.data_dir} cannot be read "
                f"({type(error).__name__}): delete that directory to prepare it again."
            ) from error

    def _picture(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """A TFDS example as (uint8 [size, size, channels], int32 label)."""
        size, _, channels = self.shape
        image = pictures.resize(example["image"], size)
        if image.shape[-1] != channels:
            image = tf.image.grayscale_to_rgb(image)
        image = tf.ensure_shape(image, self.shape)
        return image, tf.cast(example.get("label", 0), tf.int32)

    def _stream(
        self,
        builder: "tfds.core.DatasetBuilder",
        *,
        seed: tuple[int, int],
        first: int,
        count: int,
        rows: slice,
    ) -> tf.data.Dataset:
        split = builder.info.splits[self._splits["train"]]
        pictures.require_examples(split.num_examples, count)
        records = tfrecords.shuffled_records(
            _shards(builder, split),
            num_records=split.num_examples,
            seed=seed,
            first=first,
            shuffle_buffer=self._shuffle_buffer,
        )
        records = tfrecords.only_rows(records, rows, count)  # Undecoded.
        features = _decoding(builder).extract_features(builder.info.features)
        examples = records.map(
            lambda record: self._picture(features.deserialize_example(record)),
            tf.data.AUTOTUNE,
            deterministic=True,
        ).batch(len(range(count)[rows]), drop_remainder=True)
        seed_tensor = tf.constant(seed, tf.int64)

        def finish(
            position: tf.Tensor, example: tuple[tf.Tensor, tf.Tensor]
        ) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = example
            images = pictures.to_float(images)
            if self._flip:
                words = random_access.random_words(seed_tensor, position, count)
                images = pictures.random_flip(images, words[rows])
            return images, labels

        positions = tf.data.Dataset.range(first, tf.int64.max, count)
        return tf.data.Dataset.zip(positions, examples).map(finish)


def _feature(builder: "tfds.core.DatasetBuilder", name: str) -> Any:
    return dict(builder.info.features.items()).get(name)


def _decoding(builder: "tfds.core.DatasetBuilder") -> "tfds.decode.PartialDecoding":
    """Decodes the image, the label if it is a class, and nothing else."""
    import tensorflow_datasets as tfds

    label = _feature(builder, "label")
    wanted = {"image": True}
    if isinstance(label, tfds.features.ClassLabel):
        wanted["label"] = True
    return tfds.decode.PartialDecoding(wanted)


def _shards(
    builder: "tfds.core.DatasetBuilder", split: "tfds.core.SplitInfo"
) -> list[tfrecords.Shard]:
    file_format = builder.info.file_format.value
    if file_format != "tfrecord":
        raise ConfigurationError(
            f"{builder.name} is stored as {file_format}, and only TFRecords can be "
            "streamed: prepare it with `tfds build --file_format=tfrecord`, or raise "
            "limit to hold it in memory."
        )
    return [
        tfrecords.Shard(part.filename, part.skip, part.take)
        for part in split.file_instructions
    ]
