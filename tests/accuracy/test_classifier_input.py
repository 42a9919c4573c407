"""Crops, flips and sizes, pixel by pixel."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.accuracy.classifier_input import ClassifierInput
from logan_tf.data import random_access
from logan_tf.errors import ConfigurationError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
SEED = tf.constant([1, 2], tf.int64)


def words(num=40, seed=SEED):
    return random_access.random_words(seed, tf.constant(0, tf.int64), num)


def to_float(images):
    return images.astype(np.float32) / 127.5 - 1


def test_small_pictures_are_enlarged_by_repetition():
    made = ClassifierInput(interpolation="nearest")
    expected = to_float(IMAGES.repeat(2, 1).repeat(2, 2))
    for found in (made.to_test(IMAGES), made.to_train(tf.constant(IMAGES), words())):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert made.shape((16, 16, 1)) == (32, 32, 1)
    assert made.shape((64, 64, 3)) == (64, 64, 3)
    assert ClassifierInput(224).shape((128, 128, 3)) == (224, 224, 3)


def test_area_means_when_they_shrink():
    found = ClassifierInput(8, "area").to_test(IMAGES)
    means = IMAGES.reshape(40, 8, 2, 8, 2, 1).astype(np.float32).mean((2, 4))
    np.testing.assert_allclose(found, means / 127.5 - 1, atol=1e-5)


def test_the_center_is_tested():
    found = ClassifierInput(8, "nearest", test_crop=0.5).to_test(IMAGES)
    np.testing.assert_allclose(found, to_float(IMAGES[:, 4:12, 4:12]), atol=1e-6)


@pytest.mark.slow
def test_shifts_are_all_there_and_equally_likely():
    """One white pixel in the middle says where the picture went."""
    images = np.zeros((2000, 9, 9, 1), np.uint8)
    images[:, 4, 4] = 255
    made = ClassifierInput(9, "nearest", shift=2)
    found = np.array(made.to_train(tf.constant(images), words(2000)))
    rows, columns = np.nonzero(found[..., 0] > 0)[1:]
    assert len(rows) == 2000
    counts = np.bincount((rows - 2) * 5 + columns - 2, minlength=25)
    assert counts.size == 25
    chi_squared = ((counts - 80) ** 2 / 80).sum()
    assert chi_squared < 51.2  # .001 at 24 degrees of freedom


def test_half_the_pictures_are_mirrored():
    made = ClassifierInput(16, "nearest", flip=True)
    found = np.array(made.to_train(tf.constant(IMAGES), words()))
    plain = (found == to_float(IMAGES)).all((1, 2, 3))
    mirrored = (found == to_float(IMAGES[:, :, ::-1])).all((1, 2, 3))
    assert (plain ^ mirrored).all()
    assert 10 < mirrored.sum() < 30


def test_crops_have_the_areas_and_ratios_asked_for():
    """Each pixel holds its own place, so a crop's corners say where it was cut."""
    side = 64
    place = np.stack(np.meshgrid(range(side), range(side), indexing="ij"), -1)
    images = np.tile(place.astype(np.uint8)[None], (300, 1, 1, 1))
    made = ClassifierInput(32, "bilinear", crop_area=(0.08, 1.0))
    seen = np.array(made.to_train(tf.constant(images), words(300)))
    seen = (seen + 1) * 127.5
    # Inside, a step of one pixel is a step of side_cut / 32 places.
    heights = (seen[:, 20, 16, 0] - seen[:, 10, 16, 0]) * 3.2
    widths = (seen[:, 16, 20, 1] - seen[:, 16, 10, 1]) * 3.2
    areas, ratios = heights * widths / side**2, widths / heights
    assert areas.min() > 0.06
    assert areas.max() < 1.02
    # Where no side is cut to the picture's, area and ratio are uniform draws.
    free = areas < 0.7
    assert abs(np.median(areas[free]) - 0.39) < 0.06
    assert ratios[free].min() > 0.7
    assert ratios[free].max() < 1.42
    assert abs(np.log(ratios[free]).mean()) < 0.03
    assert seen.min() >= 0
    assert seen.max() <= side - 1 + 1e-3


def test_a_function_of_its_words():
    made = ClassifierInput(16, flip=True, shift=2, crop_area=(0.3, 0.9))
    images = tf.constant(IMAGES)
    first = made.to_train(images, words())
    np.testing.assert_array_equal(first, made.to_train(images, words()))
    other = words(seed=tf.constant([1, 3], tf.int64))
    assert np.abs(first - made.to_train(images, other)).max() > 0.1
    half = made.to_train(images[20:], words()[20:])
    np.testing.assert_array_equal(first[20:], half)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"size": 0}, "size must be 1"),
        ({"interpolation": "near"}, "'near'"),
        ({"shift": -1}, "shift must be 0"),
        ({"crop_area": (0.0, 1.0)}, "crop_area is 0"),
        ({"crop_area": (0.9, 0.5)}, "smaller first"),
        ({"test_crop": 1.5}, "test_crop is 1.5"),
    ],
)
def test_bad_numbers(arguments, cause):
    with pytest.raises(ConfigurationError, match=cause):
        ClassifierInput(**arguments)
