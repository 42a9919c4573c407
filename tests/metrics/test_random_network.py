"""Features that nobody learned: the same everywhere, and they tell pictures apart."""

import numpy as np
import pytest
from scipy import signal

from logan_tf.metrics import distances, random_network
from logan_tf.metrics.random_network import RandomNetwork

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def _expected(images):
    """In NumPy: with stride 2 an even side has one row of zeros behind it."""
    x, means = images / 127.5 - 1, []
    for kernel in random_network.kernels():
        padding = [(1, 1) if side == 1 else (0, 1) for side in x.shape[1:3]]
        padded = np.pad(x, ((0, 0), *padding, (0, 0)))
        x = np.stack(
            [
                signal.correlate(image, filter_, "valid")[::2, ::2, 0]
                for image in padded
                for filter_ in np.moveaxis(kernel, -1, 0)
            ]
        )
        x = np.maximum(x, 0).reshape(len(images), kernel.shape[-1], *x.shape[1:])
        x = np.moveaxis(x, 1, -1)
        means.append(x.mean(axis=(1, 2)))
    return np.concatenate(means, axis=-1)


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_means_of_maps(channels):
    images = IMAGES[..., :channels]
    found = RandomNetwork(batch_size=2).outputs(images)
    assert (found.logits, found.confidences) == (None, None)
    assert found.features.shape == (5, 240)
    expected = _expected(np.broadcast_to(images, IMAGES.shape))
    np.testing.assert_allclose(found.features, expected, atol=1e-5)


def test_the_kernels_are_the_same_everywhere():
    """Other kernels make other numbers: whoever changes them changes the name."""
    assert RandomNetwork().fields() == {"classifier": "random:f8fd674d7b0c704c"}
    scale = [
        kernel.std() * np.sqrt(kernel[..., 0].size / 2)
        for kernel in random_network.kernels()
    ]
    np.testing.assert_allclose(scale, 1, atol=0.1)


def test_a_distance_grows_with_what_is_wrong(digits):
    """Of other real digits, of blurred ones, of noise of the same gray values."""
    images, _ = digits.arrays("train")
    real, others = images[:700], images[700:1400]
    blurred = others.astype(np.float32)
    for axis in (1, 2):
        blurred = (blurred + np.roll(blurred, 1, axis)) / 2
    noise = np.random.default_rng(0).permuted(others.reshape(700, -1), axis=1)
    network = RandomNetwork()

    def distance(pictures):
        features = network.outputs(pictures.astype(np.uint8)).features
        return distances.frechet_distance(network.outputs(real).features, features)

    found = [distance(x) for x in (others, blurred, noise.reshape(others.shape))]
    assert 5 * found[0] < found[1] < found[2] / 5, found
