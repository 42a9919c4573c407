"""Any image data set of TFDS by name."""

import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from logan_tf.data import pixels, prepared, tfrecords
from logan_tf.data.manifest import PREPROCESSING
from logan_tf.data.stored_images import GIBIBYTE, READ_AT_ONCE, Records, StoredImages
from logan_tf.errors import BadDataError, ConfigurationError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

_ARRAY_RECORD = "array_record"  # The format, and the package that reads it.


class TFDSImages(StoredImages):
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
        limit: int = 2 * GIBIBYTE,
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
        pixels.require_size(size)
        if channels not in (1, 3):
            raise ConfigurationError(f"channels must be 1 or 3, not {channels!r}.")
        super().__init__(flip=flip, limit=limit, shuffle_buffer=shuffle_buffer)
        self._shape = (size, size, channels)
        self._name = name
        self._splits = {"train": split, "test": test_split}
        self._data_dir = data_dir
        self._num_classes = num_classes

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._shape

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

    @property
    def identity(self) -> str:
        """Says which pictures these are: data set, version, splits, size, crop."""
        builder = prepared.find_builder(self._name, self._data_dir)
        splits = " and ".join(filter(None, self._splits.values()))
        size = "x".join(map(str, self.shape))
        flip = ", mirrored at random to train on" if self._flip else ""
        return f"{builder.info.full_name} {splits} {size} {PREPROCESSING}{flip}"

    def _builder(self, split: str) -> "tfds.core.DatasetBuilder":
        """The builder, its data on disk, after a look at the split and the features."""
        found = prepared.find_builder(self._name, self._data_dir)
        self._require_image(_feature(found, "image"))  # Before any download.
        self._require_classes(_feature(found, "label"))
        builder = prepared.prepare_builder(self._name, self._data_dir)
        splits = builder.info.splits
        if splits:  # Mocked builders know none, and have no files.
            _require_readable(builder)
        try:
            has_examples = not splits or splits[split].num_examples > 0
        except (KeyError, ValueError):
            has_examples = False
        if not has_examples:
            raise ConfigurationError(
                f"{self._name} has no examples in split {split!r}: "
                f"use one of {', '.join(splits)}{prepared.manual_remedy(builder)}."
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
            remedy = "set channels = 3" if stored == 3 else "use another data set"
            raise ConfigurationError(
                f"{self._name} has pictures of {stored} channels, which cannot become "
                f"{wanted}: {remedy}."
            )

    def _require_classes(self, label: Any) -> None:
        stored = getattr(label, "num_classes", None) or 0
        if 0 < (self._num_classes or 0) < stored:
            raise ConfigurationError(
                f"{self._name} has labels 0 to {stored - 1}, and "
                f"TFDSImages.num_classes is {self._num_classes}: leave it out."
            )

    def _num_examples(self, split: str) -> int | None:
        name = self._splits[split]
        splits = self._builder(name).info.splits
        # Mocked builders know no splits; what they make up fits in memory.
        return splits[name].num_examples if splits else None

    def _records(self, split: str) -> Records:
        name = self._splits[split]
        builder = self._builder(name)
        if _is_random_access(builder):
            # A reader of Python's in an endless pipeline can hang as a process ends.
            raise ConfigurationError(
                f"{self._name} is too large to be held in memory, and "
                "what is stored as array_record is not streamed: raise "
                f"TFDSImages.limit, or {_rebuild(builder)}"
            )
        found = builder.info.splits[name]
        shards = [
            tfrecords.Shard(part.filename, part.skip, part.take)
            for part in found.file_instructions
        ]
        return Records(shards, found.num_examples, self._decoder(builder))

    def _decoder(self, builder: "tfds.core.DatasetBuilder") -> Callable:
        """Serialized record → (uint8 [size, size, channels], int64 label)."""
        features = _decoding(builder).extract_features(builder.info.features)

        def decode(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._picture(features.deserialize_example(record))

        return decode

    def _read(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        import tensorflow_datasets as tfds

        builder = self._builder(self._splits[split])
        try:
            if _is_random_access(builder):
                yield from self._by_rows(builder, split)
                return
            examples = builder.as_dataset(
                split=self._splits[split],
                decoders=_decoding(builder),
                # File after file, so that slices of a split follow each other in it.
                read_config=tfds.ReadConfig(interleave_cycle_length=1),
            )
            examples = examples.map(self._picture, tf.data.AUTOTUNE, deterministic=True)
            yield from examples.batch(READ_AT_ONCE).as_numpy_iterator()
        except tf.errors.OpError as error:
            raise BadDataError(
                f"{self._name} in {builder.data_dir} cannot be read "
                f"({type(error).__name__}): delete that directory to prepare it again."
            ) from error

    def _by_rows(
        self, builder: "tfds.core.DatasetBuilder", split: str
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The pictures of an ArrayRecord split in order, in parts."""
        import tensorflow_datasets as tfds

        name, decode = self._splits[split], self._decoder(builder)
        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        source = builder.as_data_source(name, deserialize_method=raw)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def decoded(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            signature = (tf.uint8, tf.int64)
            return tf.map_fn(decode, records, fn_output_signature=signature)

        for first in range(0, len(source), READ_AT_ONCE):
            rows = range(first, min(first + READ_AT_ONCE, len(source)))
            try:
                records = source.__getitems__(list(rows))
            except Exception as error:  # Readers of formats raise anything.
                raise tf.errors.DataLossError(None, None, str(error)) from error
            images, labels = decoded(tf.constant(records))
            yield images.numpy(), labels.numpy()

    def _describe(self, split: str) -> str:
        return f"split {self._splits[split]!r} of {self._name}"

    def _picture(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """A TFDS example as (uint8 [size, size, channels], int64 label)."""
        size, _, channels = self.shape
        image = pixels.resize(example["image"], size)
        if image.shape[-1] != channels:
            image = tf.image.grayscale_to_rgb(image)
        image = tf.ensure_shape(image, self.shape)
        return image, tf.cast(example.get("label", 0), tf.int64)


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


def _is_random_access(builder: "tfds.core.DatasetBuilder") -> bool:
    return bool(builder.info.splits) and builder.info.file_format.value == _ARRAY_RECORD


def _require_readable(builder: "tfds.core.DatasetBuilder") -> None:
    """TFRecords are, and ArrayRecords where their package is installed."""
    stored = builder.info.file_format.value
    has_package = importlib.util.find_spec(_ARRAY_RECORD) is not None
    if stored == "tfrecord" or (stored == _ARRAY_RECORD and has_package):
        return
    or_else = "install array_record, or " if stored == _ARRAY_RECORD else ""
    raise ConfigurationError(
        f"{builder.data_dir} is stored as {stored}, which cannot be read: {or_else}"
        f"{_rebuild(builder)}"
    )


def _rebuild(builder: "tfds.core.DatasetBuilder") -> str:
    return (
        f"prepare it elsewhere with `tfds build {builder.name} --data_dir=DIR "
        "--file_format=tfrecord`"
    )
