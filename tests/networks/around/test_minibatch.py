"""Against nested loops in NumPy, and differences; around networks."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.networks import mlp, sngan
from logan_tf.networks.around import minibatch, packed


def nearness(features, kernel, kernels, dims):
    places = (features @ kernel).reshape(-1, kernels, dims)
    found = np.zeros((len(features), kernels))
    for i, one in enumerate(places):
        for j, other in enumerate(places):
            if i != j:
                found[i] += np.exp(-np.abs(one - other).sum(axis=1))
    return found


def test_values_and_derivatives_to_second_order():
    rng = np.random.default_rng(0)
    features, u = rng.normal(size=(2, 5, 3))
    layer = minibatch.MinibatchDiscrimination(4, 2, dtype="float64")
    layer.build((5, 3))
    kernel = np.array(layer.kernel)

    def value(x):
        return (nearness(x, kernel, 4, 2) ** 2).sum()

    x = tf.constant(features)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            found = layer(x)
            total = tf.reduce_sum(found**2)
        gradient = inner.gradient(total, x)
        along = tf.reduce_sum(gradient * u)
    second = tf.reduce_sum(outer.gradient(along, x) * u)
    np.testing.assert_allclose(found, nearness(features, kernel, 4, 2), rtol=1e-12)
    h = 1e-4
    ahead, here, behind = (value(features + k * h * u) for k in (1, 0, -1))
    np.testing.assert_allclose(along, (ahead - behind) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(second, (ahead - 2 * here + behind) / h**2, rtol=1e-4)


def test_its_share_is_as_if_nearness_joined_the_features():
    network = minibatch.Discriminator(lambda: mlp.Discriminator((4,)), kernels=3)
    points = tf.random.stateless_normal([6, 2], (0, 1))
    scores = network(points)
    features = network.features(points)
    joined = tf.concat([features, network._nearness(features)], 1)
    own = network._network._score
    kernel = tf.concat([own.kernel, network._share.kernel], 0)
    expected = tf.squeeze(joined @ kernel, -1) + own.bias
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    assert network.image_shape == (2,)


def test_alike_samples_are_seen_to_be():
    """The same images, alone in different batches and many times in one."""
    network = minibatch.Discriminator(lambda: sngan.Discriminator(8, 1, 2), 3, 2)
    images = tf.random.stateless_normal([4, 8, 8, 1], (0, 1))
    features = tf.reshape(network.features(images), [4, -1])
    network(images)
    alike = tf.repeat(features[:1], 4, axis=0)
    np.testing.assert_allclose(network._nearness(alike), 3.0, rtol=1e-5)
    assert np.all(network._nearness(features) < 3.0)


def test_a_network_without_features_is_refused():
    with pytest.raises(ConfigurationError, match="features"):
        minibatch.Discriminator(
            lambda: packed.Discriminator(lambda: mlp.Discriminator((3,), 4))
        )
