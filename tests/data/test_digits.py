import runpy
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn import datasets

from logan_tf.data import batch, digits, points, prepared, stacked_digits, tfds_images
from logan_tf.data.digits import Digits
from logan_tf.data.stacked_digits import StackedDigits
from logan_tf.errors import ConfigurationError


def _expected(held_out):
    """Every fifth example of each class, told apart without the builder's counters."""
    source = datasets.load_digits()
    is_fifth = np.zeros(len(source.target), bool)
    for label in range(10):
        is_fifth[np.flatnonzero(source.target == label)[4::5]] = True
    keep = is_fifth == held_out
    images = np.rint(source.images[keep] * 255 / 16).astype(np.uint8)
    return images, source.target[keep]


def _sorted(images, labels):
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    return rows[np.lexsort(rows.T)]


@pytest.fixture(scope="module")
def stacked(data_dir):
    return StackedDigits(8, data_dir)


@pytest.mark.parametrize(("split", "held_out"), [("train", False), ("test", True)])
def test_splits_are_every_fifth_of_each_class(split, held_out, stacked):
    images, labels = stacked.digits.arrays(split)
    assert images.shape == (355 if held_out else 1442, 8, 8, 1)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(
        _sorted(images, labels), _sorted(*_expected(held_out))
    )


def test_order_on_disk_is_fixed(stacked, tmp_path):
    again = Digits(8, str(tmp_path)).arrays("test")  # Prepared a second time.
    for a, b in zip(stacked.digits.arrays("test"), again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_preparing_says_nothing(tmp_path, capfd):
    Digits(8, str(tmp_path)).arrays("test")
    shown = capfd.readouterr()
    assert "Generating" not in shown.out + shown.err
    assert "Downloading" not in shown.out + shown.err


def test_each_example_comes_once_an_epoch(stacked):
    images, labels = stacked.digits.arrays("train")
    pipeline = iter(stacked.digits.examples(seed=(0, 0), first=0, count=721))
    orders = []
    for _ in range(2):
        epoch = [next(pipeline) for _ in range(2)]
        drawn = np.concatenate([x.numpy() for x, _ in epoch])
        drawn_labels = np.concatenate([y.numpy() for _, y in epoch])
        pixels = np.rint((drawn + 1) * 127.5).astype(np.uint8)
        np.testing.assert_array_equal(
            _sorted(pixels, drawn_labels), _sorted(images, labels)
        )
        orders.append(pixels)
    assert not np.array_equal(*orders)


@pytest.mark.parametrize("first", [0, 5])
def test_stacked_label_is_the_triple_of_digits(first, stacked):
    images, labels = next(iter(stacked.examples(seed=(1, 0), first=first, count=300)))
    singles, classes = stacked.digits.arrays("train")
    class_of = {x.tobytes(): y for x, y in zip(singles, classes, strict=True)}
    pixels = np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)
    for picture, label in zip(pixels, labels.numpy(), strict=True):
        r, g, b = (class_of[picture[..., c].tobytes()] for c in range(3))
        assert label == 100 * r + 10 * g + b


def test_stacked_triples_are_independent_and_uniform(stacked):
    count = 100_000
    _, labels = next(iter(stacked.examples(seed=(1, 0), first=0, count=count)))
    share = np.bincount(stacked.digits.arrays("train")[1]) / 1442
    expected = np.einsum("i,j,k->ijk", share, share, share).ravel() * count
    counts = np.bincount(labels.numpy(), minlength=1000)
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert 800 < chi_squared < 1200  # 999 degrees of freedom, deviation 45.


def test_shapes_and_classes_are_known_without_data(tmp_path):
    single, stacked = Digits(28, str(tmp_path)), StackedDigits(32, str(tmp_path))
    assert (single.shape, single.num_classes) == ((28, 28, 1), 10)
    assert (stacked.shape, stacked.num_classes) == ((32, 32, 3), 1000)
    assert (stacked.class_names[42], len(stacked.class_names)) == ("042", 1000)
    assert not list(tmp_path.iterdir())


def test_neither_importing_nor_constructing_needs_tfds(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # Importing it fails.
    modules = (batch, digits, points, prepared, stacked_digits, tfds_images)
    names = {}
    for module in modules:
        names |= runpy.run_path(module.__file__)
    assert names["StackedDigits"]().shape == (16, 16, 3)
    assert names["TFDSImages"]("cifar10", 32).shape == (32, 32, 3)


@pytest.mark.parametrize("make", [Digits, StackedDigits])
def test_size_zero_is_refused(make):
    with pytest.raises(ConfigurationError, match="above 0, not 0"):
        make(0)


def test_unknown_split_is_refused(stacked):
    with pytest.raises(ConfigurationError, match="'train' or 'test', not 'valid'"):
        stacked.digits.arrays("valid")


@pytest.mark.parametrize("split", ["train", "test"])
def test_ordered_digits_are_the_arrays_in_parts(data_dir, split):
    fresh, read = Digits(16, data_dir), Digits(16, data_dir)
    images, labels = read.arrays(split)
    for source in (fresh, read):
        parts = list(source.ordered(split))
        assert len(parts) > 1
        np.testing.assert_array_equal(np.concatenate([x for x, _ in parts]), images)
        np.testing.assert_array_equal(np.concatenate([y for _, y in parts]), labels)
    assert read.identity == Digits(16, data_dir).identity
    assert read.identity != Digits(8, data_dir).identity
    with pytest.raises(ConfigurationError, match="'train' or 'test'"):
        next(read.ordered("validation"))


def test_ordered_triples_are_always_the_same_and_show_their_modes(data_dir):
    stacked = StackedDigits(16, data_dir)
    parts, again = (list(stacked.ordered("test")) for _ in range(2))
    assert sum(len(images) for images, _ in parts) == 26_000
    images, labels = parts[0]
    np.testing.assert_array_equal(again[0][0], images)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    held_out, digits = stacked.digits.arrays("test")
    by_pixels = {x.tobytes(): y for x, y in zip(held_out, digits, strict=True)}
    for image, mode in zip(images[:50], labels, strict=False):
        read = [by_pixels[image[..., c : c + 1].tobytes()] for c in range(3)]
        assert mode == read[0] * 100 + read[1] * 10 + read[2]


@pytest.mark.parametrize(
    ("name", "size"), [("mnist", 28), ("fashion_mnist", 16), ("kmnist", 64)]
)
def test_other_gray_digits_are_read_by_name(name, size, tmp_path):
    with tfds.testing.mock_data(num_examples=6):
        stacked = StackedDigits(size, str(tmp_path), f"{name}:*.*.*")
        singles, classes = stacked.digits.arrays("train")
        images, modes = next(iter(stacked.examples(seed=(1, 0), first=0, count=20)))
        identity = stacked.identity
    assert stacked.digits.name == name
    assert identity.startswith(f"stacked {name}/")
    assert singles.shape == (6, size, size, 1)
    assert images.shape == (20, size, size, 3)
    class_of = {x.tobytes(): y for x, y in zip(singles, classes, strict=True)}
    pixels = np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)
    for picture, mode in zip(pixels, modes.numpy(), strict=True):
        read = [class_of[picture[..., c].tobytes()] for c in range(3)]
        assert mode == read[0] * 100 + read[1] * 10 + read[2]


@pytest.mark.parametrize(
    ("name", "message"),
    [("emnist", "emnist has 62 classes, not ten"), ("cifar10", "3 channels")],
)
def test_what_are_no_gray_digits_is_refused(name, message, tmp_path):
    with tfds.testing.mock_data(4), pytest.raises(ConfigurationError, match=message):
        Digits(28, str(tmp_path), name).arrays("train")
