"""The energy-based discriminator in NumPy, and a game of it."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.energy import EnergyMargin
from logan_tf.game.game import Game
from logan_tf.networks import autoencoder, sngan


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def test_scores_are_mean_squared_errors(convolve, upsample):
    network = autoencoder.Discriminator(8, channels=2, width=3)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 2))
    scores = network(tf.constant(images, tf.float32))
    encoder, decoder = network._encoder, network._decoder
    code = images
    for layer in encoder:
        code = leaky(convolve(code, np.array(layer.kernel), 2) + np.array(layer.bias))
    np.testing.assert_allclose(network.features(images), code, rtol=1e-4, atol=1e-5)
    (last,) = decoder
    found = upsample(code, np.array(last.kernel), 8) + np.array(last.bias)
    energies = np.mean((found - images) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(scores, -energies, rtol=1e-5)
    assert network.features(images).shape == (3, 4, 4, 3)


@pytest.mark.parametrize("size", [16, 28, 48])
def test_reconstructions_have_the_images_size(size):
    network = autoencoder.Discriminator(size, channels=1, width=2)
    assert network(tf.zeros([2, size, size, 1])).shape == (2,)


def test_its_objective_takes_no_other_discriminator():
    """And a game of both is built."""
    generator = sngan.Generator(8, 1, 2, 4)
    energies, scores = (
        module.Discriminator(8, 1, 2) for module in (autoencoder, sngan)
    )
    for discriminator in (energies, scores):
        discriminator(generator(tf.zeros([1, 4])))
    Game(generator, energies, EnergyMargin()).build((8, 8, 1))
    with pytest.raises(ConfigurationError, match="that is an autoencoder"):
        Game(generator, scores, EnergyMargin()).build((8, 8, 1))


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(ConfigurationError, match=r"EnergyMargin\.margin"):
        EnergyMargin(0.0)
