import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from logan_tf.data import pixels, random_access
from logan_tf.errors import ConfigurationError


def _bilinear(image, size):
    """Pixel centers at half integers, edges repeated; float64 [size, size]."""
    side = len(image)
    where = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, side - 1)
    share = where - low
    rows = image[low] * (1 - share)[:, None] + image[high] * share[:, None]
    return rows[:, low] * (1 - share) + rows[:, high] * share


@pytest.mark.parametrize("size", [16, 28, 32, 64, 8])
def test_enlarging_is_bilinear(size):
    image = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    found = pixels.resize(image[..., None], size).numpy()
    assert found.dtype == np.uint8
    expected = _bilinear(image.astype(np.float64), size)
    assert np.abs(found[..., 0] - expected).max() <= 0.5 + 1e-3


def test_shrinking_averages_areas():
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    expected = image.reshape(4, 3, 4, 3, 3).astype(np.float64).mean(axis=(1, 3))
    found = pixels.resize(image, 4).numpy()
    assert np.abs(found - expected).max() <= 0.5 + 1e-3


def _area_weights(side, size):
    """Each new pixel's share of each old one, by the length of their overlap."""
    edges = np.arange(size + 1) * side / size
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(side)
    overlap = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
    return np.maximum(overlap, 0) * size / side


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(
    height=st.integers(1, 40), width=st.integers(1, 40), size=st.integers(1, 40)
)
def test_any_picture_becomes_the_areas_of_its_central_square(height, width, size):
    """Also where the old pixels do not fit evenly into the new ones."""
    side = min(height, width)
    size = min(size, side)
    rng = np.random.default_rng(height * 41 + width)
    image = rng.integers(0, 256, (height, width, 2), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side].astype(np.float64)
    weights = _area_weights(side, size)
    expected = np.einsum("ih,jw,hwc->ijc", weights, weights, square)
    found = pixels.resize(image, size).numpy()
    assert np.abs(found - expected).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
def test_the_central_square_is_kept(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 1), np.uint8)
    top, left = (shape[0] - 6) // 2, (shape[1] - 6) // 2
    np.testing.assert_array_equal(
        pixels.resize(image, 6), image[top : top + 6, left : left + 6]
    )


def test_range_is_minus_one_to_one():
    values = pixels.to_float(tf.constant([0, 51, 255], tf.uint8))
    np.testing.assert_allclose(values, [-1, -0.6, 1], atol=1e-7)


def test_flip_mirrors_half_of_the_pictures():
    images = tf.random.stateless_uniform((400, 2, 3, 1), [1, 2])
    seed = tf.constant([1, 0], tf.int64)
    words = random_access.random_words(seed, tf.constant(0, tf.int64), 400)
    found = pixels.random_flip(images, words).numpy()
    mirrored = images.numpy()[:, :, ::-1]
    is_mirrored = (found == mirrored).all(axis=(1, 2, 3))
    is_same = (found == images.numpy()).all(axis=(1, 2, 3))
    assert (is_mirrored ^ is_same).all()
    assert 160 < is_mirrored.sum() < 240  # 4 standard deviations.
    words = random_access.random_words(seed, tf.constant(7, tf.int64), 2)
    later = pixels.random_flip(images[7:9], words)
    np.testing.assert_array_equal(later, found[7:9])


@pytest.mark.parametrize("size", [0, -1, 16.0, "16", True])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ConfigurationError, match="size, the side of a picture"):
        pixels.require_size(size)
