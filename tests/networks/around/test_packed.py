"""Packs of samples, in NumPy and around other networks."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.networks import biggan_deep, mlp, sngan
from logan_tf.networks.around import packed


def test_a_pack_is_side_by_side_in_the_channels():
    network = packed.Discriminator(lambda: sngan.Discriminator(8, 4, 2), pack=2)
    images = np.random.default_rng(0).normal(size=(6, 8, 8, 2)).astype(np.float32)
    sides = np.concatenate([images[0::2], images[1::2]], axis=-1)
    expected = network._network(sides)
    np.testing.assert_allclose(network(images), np.repeat(expected, 2), rtol=1e-6)
    assert network.image_shape == (8, 8, 2)


def test_points_have_packs_too_and_the_last_is_filled_up():
    network = packed.Discriminator(lambda: mlp.Discriminator((3,), 6), pack=3)
    points = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    rows = points[[0, 1, 2, 3, 4, 0]].reshape(2, 6)
    expected = np.repeat(network._network(rows), 3)[:5]
    np.testing.assert_allclose(network(points), expected, rtol=1e-6)


def test_a_pack_of_one_is_the_network():
    network = packed.Discriminator(lambda: mlp.Discriminator((3,)), pack=1)
    points = tf.random.stateless_normal([4, 2], (0, 1))
    np.testing.assert_array_equal(network(points), network._network(points))


def test_weights_and_spectral_norms_are_the_networks():
    network = packed.Discriminator(
        lambda: mlp.Discriminator((3,), 4, spectral_normalization=True)
    )
    network(tf.zeros([2, 2]))
    own = [id(v) for v in network.trainable_variables]
    assert own == [id(v) for v in network._network.trainable_variables]
    assert len(own) == 4


@pytest.mark.parametrize(
    ("make", "pack", "message"),
    [
        (lambda: mlp.Discriminator(), 0, "pack must be 1"),
        (lambda: sngan.Discriminator(8, 3, 2), 2, "set its channels to 2 times"),
        (lambda: biggan_deep.Discriminator(num_classes=3), 1, "without classes"),
    ],
)
def test_what_cannot_be_packed_is_refused(make, pack, message):
    with pytest.raises(ConfigurationError, match=message):
        packed.Discriminator(make, pack)
