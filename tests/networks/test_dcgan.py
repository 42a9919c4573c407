"""The networks of stacked MNIST's literature against their tables, in NumPy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.networks import dcgan

VEEGAN = {"width": 64, "kernel_size": 5, "halvings": 4}
PAIRS = {
    "metz_quarter": ({}, {}),
    "metz_half": ({}, {"width": 4}),
    "veegan": (
        VEEGAN | {"latent_dim": 100, "last_convolution": False},
        VEEGAN | {"slope": 0.2, "normalize_first": False},
    ),
}
SMALL = {  # As above, of a width at which NumPy's loops take a moment.
    "metz": ({"width": 2, "latent_dim": 6}, {}),
    "veegan": (
        PAIRS["veegan"][0] | {"width": 2, "latent_dim": 6},
        PAIRS["veegan"][1] | {"width": 2},
    ),
}


@pytest.mark.parametrize(
    ("name", "latents", "expected"),
    [
        ("metz_quarter", 256, (287_875, 585)),
        ("metz_half", 256, (287_875, 1_889)),
        ("veegan", 100, (4_514_819, 4_310_401)),
    ],
)
def test_parameters_as_published(name, latents, expected):
    ours, theirs = PAIRS[name]
    generator, discriminator = dcgan.Generator(**ours), dcgan.Discriminator(**theirs)
    scores = discriminator(generator(np.zeros((2, latents), np.float32)))
    assert scores.shape == (2,)
    for network, number in zip((generator, discriminator), expected, strict=True):
        assert sum(math.prod(v.shape) for v in network.trainable_variables) == number


def _normalized(layer, x):
    x = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
    return x * np.array(layer.scale) + np.array(layer.offset)


@pytest.mark.parametrize(
    ("name", "sizes"), [("metz", (4, 7, 14, 28)), ("veegan", (2, 4, 7, 14, 28))]
)
def test_generator_is_the_table(name, sizes, float64, upsample, convolve, randomize):
    generator = dcgan.Generator(**SMALL[name][0])
    latents = np.random.default_rng(1).normal(size=(3, 6))
    generator(latents)
    randomize(generator)
    dense = [np.array(v) for v in generator._project.trainable_variables]
    x = (latents @ dense[0] + dense[1]).reshape(3, sizes[0], sizes[0], 16)
    widths = [16]
    for norm, layer, size in zip(
        generator._normalize, generator._convolutions, (*sizes[1:], 28), strict=False
    ):
        x = np.maximum(_normalized(norm, x), 0)
        kernel = np.array(layer.kernel)
        transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        x = upsample(x, kernel, size) if transposed else convolve(x, kernel)
        x = x + np.array(layer.bias)
        widths.append(x.shape[-1])
    assert widths == [16, 8, 4, 2, 3]
    np.testing.assert_allclose(generator(latents), np.tanh(x), atol=1e-10)


@pytest.mark.parametrize(
    ("name", "slope", "normalized"), [("metz", 0.3, 3), ("veegan", 0.2, 3)]
)
def test_discriminator_is_the_table(
    name, slope, normalized, float64, convolve, randomize
):
    discriminator = dcgan.Discriminator(**SMALL[name][1])
    x = images = np.random.default_rng(2).uniform(-1, 1, (3, 28, 28, 3))
    discriminator(images)
    randomize(discriminator)
    for layer, norm in zip(
        discriminator._convolutions, discriminator._normalize, strict=True
    ):
        x = convolve(x, np.array(layer.kernel), 2) + np.array(layer.bias)
        x = _normalized(norm, x) if norm else x
        x = np.where(x > 0, x, slope * x)
    assert sum(norm is not None for norm in discriminator._normalize) == normalized
    assert x.shape[1:] == ((4, 4, 8) if name == "metz" else (2, 2, 16))
    kernel, bias = (np.array(v) for v in discriminator._score.trainable_variables)
    expected = x.reshape(3, -1) @ kernel + bias
    np.testing.assert_allclose(discriminator(images), expected[:, 0], atol=1e-10)


def test_second_derivatives_through_both_are_exact(float64, central_difference):
    """LOGAN's: the score's slope along z, differentiated by weights."""
    generator = dcgan.Generator(8, 1, 2, 4, halvings=2)
    discriminator = dcgan.Discriminator(8, 1, halvings=2)
    latents = tf.constant(np.random.default_rng(1).normal(size=(3, 4)))
    discriminator(generator(latents))

    def value():
        with tf.GradientTape() as tape:
            tape.watch(latents)
            scores = tf.reduce_sum(discriminator(generator(latents)))
        return tf.reduce_sum(tf.square(tape.gradient(scores, latents)))

    variables = generator.trainable_variables + discriminator.trainable_variables
    with tf.GradientTape() as tape:
        result = value()
    gradients = tape.gradient(
        result, [v.value for v in variables], unconnected_gradients="zero"
    )
    rng = np.random.default_rng(4)
    along = [rng.normal(size=v.shape) for v in variables]
    expected = central_difference(value, variables, along, 1e-7)
    found = sum(np.sum(g * a) for g, a in zip(gradients, along, strict=True))
    np.testing.assert_allclose(found, expected, 1e-5)


def test_sampling_of_one_image_does_not_depend_on_the_others():
    generator = dcgan.Generator(latent_dim=6)
    latents = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32)
    together = generator(latents, training=False)
    alone = generator(latents[:1], training=False)
    np.testing.assert_allclose(alone, together[:1], atol=1e-6)
    layers = generator._flatten_layers(include_self=False)
    assert sum(isinstance(layer, BatchNormalization) for layer in layers) == 4


@pytest.mark.parametrize("network", [dcgan.Generator, dcgan.Discriminator])
def test_sizes_that_cannot_be_halved_so_often_are_refused(network):
    with pytest.raises(ConfigurationError, match="28 pixels cannot be halved 5 times"):
        network(halvings=5)
