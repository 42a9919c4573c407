"""Virtual batch normalization: the layer in NumPy, and around other generators."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data.priors import normal_prior
from logan_tf.errors import ConfigurationError
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.networks import biggan_deep, mlp, sngan
from logan_tf.networks.around import virtual
from logan_tf.sampling.standing import StandingStatistics

R = 3


@pytest.fixture
def layer():
    layer = BatchNormalization(dtype="float64")
    layer.build((None, 4))
    layer.scale.assign(np.linspace(0.5, 2, 4))
    layer.offset.assign(np.linspace(-1, 1, 4))
    layer.references = R
    return layer


def normalized(x: np.ndarray, layer: BatchNormalization) -> np.ndarray:
    """Sample by sample, the first R by their common moments."""
    spatial = tuple(range(x.ndim - 1))
    rows = []
    for number, sample in enumerate(x):
        moments = []
        for power in (x, x**2):
            common, own = power[:R].mean(spatial), power[number].mean(spatial[:-1])
            share = 1 / (R + 1) if number >= R else 0
            moments.append(share * own + (1 - share) * common)
        variance = moments[1] - moments[0] ** 2
        rows.append((sample - moments[0]) / np.sqrt(variance + layer.epsilon))
    return np.array(rows) * np.array(layer.scale) + np.array(layer.offset)


@pytest.mark.parametrize("shape", [(7, 2, 3, 4), (7, 4)])
def test_forward(layer, shape):
    x = np.random.default_rng(0).normal(3, 2, shape)
    for training in (True, False):
        np.testing.assert_allclose(
            layer(x, training=training), normalized(x, layer), rtol=1e-10, atol=1e-12
        )


def test_derivatives_of_both_orders(layer):
    rng = np.random.default_rng(1)
    x, u = rng.normal(1, 2, (2, 7, 2, 2, 4))
    weights = rng.normal(size=x.shape)

    def value(x: np.ndarray) -> float:
        return (weights * normalized(x, layer) ** 2).sum()

    at = tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(at)
        with tf.GradientTape() as inner:
            inner.watch(at)
            total = tf.reduce_sum(weights * layer(at) ** 2)
        along = tf.reduce_sum(inner.gradient(total, at) * u)
    second = tf.reduce_sum(outer.gradient(along, at) * u)
    h = 1e-4
    ahead, here, behind = (value(x + k * h * u) for k in (1, 0, -1))
    np.testing.assert_allclose(along, (ahead - behind) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(second, (ahead - 2 * here + behind) / h**2, rtol=1e-4)


def generator(conditional: bool = False) -> virtual.Generator:
    if conditional:
        make = functools.partial(
            biggan_deep.Generator,
            16,
            1,
            4,
            latent_dim=6,
            num_classes=3,
            attention_size=None,
        )
    else:
        make = functools.partial(sngan.Generator, 8, 1, 2, latent_dim=6)
    return virtual.Generator(make, references=4, prior=normal_prior)


@pytest.mark.parametrize("conditional", [False, True])
def test_a_sample_depends_on_no_other_in_training_and_in_sampling(conditional):
    network = generator(conditional)
    latents = tf.random.stateless_normal([5, 6], (0, 1))
    labels = tf.constant([0, 1, 2, 0, 1])
    images = network(latents, labels, training=True)
    again = network(latents[:2], labels[:2], training=False)
    np.testing.assert_allclose(again, images[:2], atol=1e-6)
    assert (network.latent_dim, network.conditional) == (6, conditional)
    assert np.abs(images[0] - images[1]).max() > 1e-2


def test_there_is_nothing_to_collect_for_sampling():
    network = generator()
    network(tf.zeros([2, 6]))

    def draw(index):
        raise AssertionError("no batch is needed")

    assert StandingStatistics(network).collect(3, draw) == []


def test_what_cannot_be():
    with pytest.raises(ConfigurationError, match="references must be 2"):
        virtual.Generator(lambda: sngan.Generator(8, 1, 2), references=1)
    with pytest.raises(ConfigurationError, match="with batch normalization"):
        virtual.Generator(mlp.Generator)
