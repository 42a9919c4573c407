import itertools

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import tfrecords

_LENGTHS = (13, 7, 20, 1, 9, 30)
_NUM_RECORDS = sum(_LENGTHS) - 5  # The third shard is a slice of its file.


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    directory = tmp_path_factory.mktemp("shards")
    found, number = [], 0
    for index, length in enumerate(_LENGTHS):
        path = str(directory / f"{index}.tfrecord")
        skip, take = (2, length - 5) if index == 2 else (0, length)
        with tf.io.TFRecordWriter(path) as writer:
            for row in range(length):
                inside = index != 2 or 2 <= row < length - 3
                writer.write(str(number).encode() if inside else b"-1")
                number += inside
        found.append(tfrecords.Shard(path, skip, take))
    return found


def _read(shards, num, *, seed=(1, 0), first=0, shuffle_buffer=8):
    records = tfrecords.shuffled_records(
        shards,
        num_records=_NUM_RECORDS,
        seed=seed,
        first=first,
        shuffle_buffer=shuffle_buffer,
    )
    return [int(x) for x in itertools.islice(records.as_numpy_iterator(), num)]


@pytest.mark.parametrize("shuffle_buffer", [1, 8, 1000])
def test_each_record_comes_once_an_epoch(shards, shuffle_buffer):
    records = _read(shards, 3 * _NUM_RECORDS, shuffle_buffer=shuffle_buffer)
    epochs = np.split(np.array(records), 3)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(_NUM_RECORDS))
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize("shuffle_buffer", [8, 1000])
def test_entering_half_way_gives_the_same_records(shards, shuffle_buffer):
    whole = _read(shards, 2 * _NUM_RECORDS, shuffle_buffer=shuffle_buffer)
    for first in (8, 29, _NUM_RECORDS + 9):
        num = 2 * _NUM_RECORDS - first
        found = _read(shards, num, first=first, shuffle_buffer=shuffle_buffer)
        assert found == whole[first:]


def test_a_large_block_is_shuffled_evenly(shards):
    """Without the permutation, blocks keep the order of the interleaved files."""
    places = np.empty((60, _NUM_RECORDS))
    records = np.split(
        np.array(_read(shards, 60 * _NUM_RECORDS, shuffle_buffer=99)), 60
    )
    for row, epoch in zip(places, records, strict=True):
        row[epoch] = np.arange(_NUM_RECORDS)
    middle, deviation = (_NUM_RECORDS - 1) / 2, _NUM_RECORDS / np.sqrt(12 * 60)
    assert np.abs(places.mean(axis=0) - middle).max() < 4.5 * deviation
    neighbors = np.mean([np.mean(np.diff(epoch) == 1) for epoch in records])
    assert neighbors < 3 / _NUM_RECORDS


@pytest.mark.parametrize("shuffle_buffer", [1, 1000])  # 1: the order of files alone.
def test_other_seeds_draw_other_orders(shards, shuffle_buffer):
    seeds = (1, 0), (2, 0), (1, 1)
    orders = {
        tuple(_read(shards, 40, seed=seed, shuffle_buffer=shuffle_buffer))
        for seed in seeds
    }
    assert len(orders) == 3


def _flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        _flip_a_bit,
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"no records at all" * 9,
        lambda content: content[: -len(content) // 30],  # The last of thirty records.
        None,
    ],
    ids=["bit", "cut", "empty", "foreign", "short", "gone"],
)
def test_a_damaged_file_is_an_error_and_found_by_name(damage, tmp_path):
    shards = []
    for index in range(3):
        path = tmp_path / f"it's {index}.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(30):
                writer.write(f"{index}-{number:03}".encode())
        shards.append(tfrecords.Shard(str(path), 0, 30))

    def read():
        records = tfrecords.shuffled_records(
            shards, num_records=90, seed=(1, 0), first=0, shuffle_buffer=8
        )
        return list(records.take(90).as_numpy_iterator())

    assert len(set(read())) == 90
    assert tfrecords.find_damage(shards) is None
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    with pytest.raises(tf.errors.OpError):
        read()
    assert tfrecords.find_damage(shards) == str(path)


def test_rows_of_every_chunk():
    records = tf.data.Dataset.range(20)
    kept = tfrecords.only_rows(records, slice(2, 4), 5)
    assert list(kept.as_numpy_iterator()) == [2, 3, 7, 8, 12, 13, 17, 18]
    assert tfrecords.only_rows(records, slice(None), 5) is records
