"""Examples from TFRecord files too large for memory, in an order drawn by a seed."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tensorflow as tf

from logan_tf.data import random_access

_OPEN_FILES = 16
_READ_AT_ONCE = 16  # Consecutive records of a file; the shuffling undoes their order.


class Shard(NamedTuple):
    """A range of the records in one file.

    Attributes:
      path: the TFRecord file.
      skip: records of it before the range.
      take: records in the range.
    """

    path: str
    skip: int
    take: int


def shuffled_records(
    shards: Sequence[Shard],
    *,
    num_records: int,
    seed: tuple[int, int],
    first: int,
    shuffle_buffer: int,
) -> tf.data.Dataset:
    """Serialized records without end, each once an epoch, from number `first` on.

    An epoch draws an order of the files, reads 16 of them in turns and permutes blocks
    of `shuffle_buffer` records. Entering an epoch half-way reads and drops the records
    before, undecoded. (`Dataset.shuffle` would depend on `tf.random.set_seed`.)

    Args:
      shards: the files.
      num_records: in all shards, > 0.
      seed: draws the orders.
      first: number of the first record; number n·e + i is the i-th of epoch e.
      shuffle_buffer: records in a block, two of which are held in memory.

    Returns:
      Elements: string scalars, deterministic. Where a file has fewer records than its
      shard says or cannot be read, the iterator raises; see `find_damage`.
    """
    paths, skips, takes = (tf.constant(column) for column in zip(*shards, strict=True))
    takes, skips = tf.cast(takes, tf.int64), tf.cast(skips, tf.int64)
    seed_tensor = tf.constant(seed, tf.int64)
    first_epoch, first_record = divmod(first, num_records)

    def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = random_access.shuffled_indices(
            seed_tensor,
            epoch * len(shards),
            count=len(shards),
            num_examples=len(shards),
        )
        columns = tuple(tf.gather(column, order) for column in (paths, skips, takes))
        skip = tf.where(epoch == first_epoch, tf.constant(first_record, tf.int64), 0)
        return _shuffle_blocks(
            _interleave(columns),
            seed=random_access.derive_seed(seed_tensor, epoch),
            size=shuffle_buffer,
            skip=skip,
        )

    return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(read_epoch)


def _interleave(columns: tuple[tf.Tensor, ...]) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(columns).interleave(
        _read_shard,
        cycle_length=_OPEN_FILES,
        block_length=_READ_AT_ONCE,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _read_shard(path: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
    """The records of a shard; a file that ends too early is an error."""

    def refuse(path: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([tf.debugging.Assert(False, [path])]):
            return tf.identity(path)

    missing = tf.data.Dataset.from_tensors(path).repeat().map(refuse)
    return tf.data.TFRecordDataset(path).concatenate(missing).skip(skip).take(take)


def find_damage(shards: Iterable[Shard]) -> str | None:
    """Reads the shards for the first file with records missing or corrupt.

    TensorFlow's errors name no file.
    """
    for shard in shards:
        try:
            end = shard.skip + shard.take
            records = tf.data.TFRecordDataset(shard.path).take(end)
            if int(records.reduce(tf.constant(0, tf.int64), _count)) < end:
                return shard.path
        except tf.errors.OpError:
            return shard.path
    return None


def _count(number: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    return number + 1


def only_rows(records: tf.data.Dataset, rows: slice, count: int) -> tf.data.Dataset:
    """Of every `count` records those of `rows`."""
    start, stop, _ = rows.indices(count)
    if (start, stop) == (0, count):
        return records

    def is_wanted(number: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        row = number % count
        return (row >= start) & (row < stop)

    return records.enumerate().filter(is_wanted).map(lambda _, record: record)


def _shuffle_blocks(
    records: tf.data.Dataset, *, seed: tf.Tensor, size: int, skip: tf.Tensor
) -> tf.data.Dataset:
    """Permutes each block of `size` records, then drops the first `skip` records."""
    first_block = skip // size  # Whole blocks are dropped before they are permuted.

    def permute(number: tf.Tensor, block: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(
            block, random_access.derive_seed(seed, number), alg="philox"
        )

    blocks = records.skip(first_block * size).batch(size).enumerate(first_block)
    return blocks.map(permute).prefetch(1).unbatch().skip(skip % size)
