import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers import spectral_normalization
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense
from logan_tf.networks import sngan


def _randomize(network):
    """Gives biases, scales and offsets values that are not neutral."""
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        if len(variable.shape) == 1:
            noise = 0.3 * rng.normal(size=variable.shape)
            variable.assign(np.array(variable) + noise)


def _pair(size=16, channels=2, width=2, latent_dim=6, batch=3):
    generator = sngan.Generator(size, channels, width, latent_dim)
    discriminator = sngan.Discriminator(size, channels, width)
    latents = np.random.default_rng(1).uniform(-1, 1, (batch, latent_dim))
    discriminator(generator(latents))
    for network in (generator, discriminator):
        _randomize(network)
    return generator, discriminator, latents


def test_parameters_as_published():
    generator, discriminator = sngan.Generator(), sngan.Discriminator()
    scores = discriminator(generator(np.zeros((1, 128), np.float32)))
    assert scores.shape == (1,)

    def count(network):
        return sum(int(np.prod(v.shape)) for v in network.trainable_variables)

    assert count(generator) == 3_812_355
    assert count(discriminator) == 2_935_873


def test_two_logits_and_their_softmax():
    """The logistic loss of their difference is the softmax's cross-entropy."""
    discriminator = sngan.Discriminator(num_logits=2)
    images = np.random.default_rng(0).uniform(-1, 1, (5, 32, 32, 3))
    scores = discriminator(images.astype(np.float32))
    count = sum(int(np.prod(v.shape)) for v in discriminator.trainable_variables)
    assert (scores.shape, count) == ((5,), 2_944_066)
    logits = discriminator._score(
        discriminator._flatten(discriminator.features(images))
    )
    for label in (0, 1):
        entropies = tf.nn.sparse_softmax_cross_entropy_with_logits([label] * 5, logits)
        signed = scores if label else -scores
        np.testing.assert_allclose(tf.nn.softplus(-signed), entropies, rtol=1e-5)
    with pytest.raises(ConfigurationError, match="num_logits is 1 or 2, not 3"):
        sngan.Discriminator(num_logits=3)


@pytest.mark.parametrize(
    ("size", "channels", "width"),
    [(8, 1, 2), (16, 1, 4), (28, 1, 3), (32, 3, 2), (48, 2, 2), (64, 3, 2)],
)
def test_shapes(size, channels, width):
    generator, discriminator, latents = _pair(size, channels, width)
    images = generator(latents)
    assert images.shape == (3, size, size, channels)
    assert discriminator.image_shape == (size, size, channels)
    assert generator.latent_dim == 6
    assert discriminator(images).shape == (3,)


@pytest.mark.parametrize("size", [-32, 0, 4, 7, 15, 17, 18, 30, 36, 72])
@pytest.mark.parametrize("network", [sngan.Generator, sngan.Discriminator])
def test_other_sizes_are_refused(network, size):
    with pytest.raises(ConfigurationError, match=f"(16, 28, 32.*), not {size}: choose"):
        network(image_size=size)


def test_only_the_discriminator_is_spectrally_normalized():
    generator, discriminator, _ = _pair(32)

    def layers(network, *kinds):
        found = network._flatten_layers(include_self=False)
        return [layer for layer in found if isinstance(layer, kinds)]

    kinds = keras.layers.Dense, keras.layers.Conv2D
    spectral = layers(discriminator, SpectralConv2D, SpectralDense)
    assert spectral == layers(discriminator, *kinds)
    assert len(spectral) == 8
    assert not spectral_normalization.normalized_layers(generator)
    assert len(layers(generator, BatchNormalization)) == 3
    assert not layers(discriminator, BatchNormalization)


def test_initial_weights():
    networks = sngan.Generator(width=32), sngan.Discriminator(width=32)
    networks[1](networks[0](np.zeros((1, 128), np.float32)))
    kernels = 0
    for variable in (v for n in networks for v in n.trainable_variables):
        values = np.array(variable)
        if variable.name != "kernel":
            assert np.all(values == (1 if variable.name == "scale" else 0))
            continue
        kernels += 1
        # A transposed convolution's inputs are its last axis.
        transposed = "transpose" in variable.path
        fan_in = values[..., 0, :].size if transposed else values[..., 0].size
        scaled = values * np.sqrt(fan_in)
        # A normal variable cut off at ±2 σ has the standard deviation .87963 σ.
        assert np.abs(scaled).max() <= 2.0001
        assert abs(scaled.std() - 0.87963) < 4 * 0.87963 / np.sqrt(2 * scaled.size)
    assert kernels == 5 + 8


@pytest.mark.parametrize(("size", "sizes"), [(28, (7, 14, 28)), (32, (4, 8, 16, 32))])
def test_generator_is_table_3(size, sizes, float64, upsample, convolve):
    generator, _, latents = _pair(size)
    dense, *upsamplings, to_image = [
        [np.array(v) for v in layer.trainable_variables]
        for layer in (generator._project, *generator._upsample, generator._to_image)
    ]
    assert [k.shape[2] for k, _ in upsamplings] == [8, 4, 2][-len(upsamplings) :]
    x = (latents @ dense[0] + dense[1]).reshape(3, sizes[0], sizes[0], -1)
    for (kernel, bias), norm, side in zip(
        upsamplings, generator._normalize, sizes[1:], strict=True
    ):
        x = upsample(x, kernel, side) + bias
        x = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3)
        x = np.maximum(x * np.array(norm.scale) + np.array(norm.offset), 0)
    expected = np.tanh(convolve(x, to_image[0]) + to_image[1])
    np.testing.assert_allclose(generator(latents), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("size", "widths"), [(28, [2, 2, 4, 4, 8]), (32, [2, 2, 4, 4, 8, 8, 16])]
)
def test_discriminator_is_table_3(size, widths, float64, convolve, divided):
    _, discriminator, _ = _pair(size)
    images = np.random.default_rng(2).uniform(-1, 1, (3, size, size, 2))
    x = images
    for index, layer in enumerate(discriminator._convolutions):
        x = convolve(x, divided(layer), 1 + index % 2) + np.array(layer.bias)
        x = np.where(x > 0, x, 0.1 * x)
    convolutions = discriminator._convolutions
    assert [layer.kernel.shape[-1] for layer in convolutions] == widths
    assert [layer.kernel.shape[0] for layer in convolutions[:-1:2]] == [3] * (
        len(widths) // 2
    )
    assert [layer.kernel.shape[0] for layer in convolutions[1::2]] == [4] * (
        len(widths) // 2
    )
    score = discriminator._score
    expected = x.reshape(3, -1) @ divided(score) + np.array(score.bias)
    np.testing.assert_allclose(discriminator(images), expected[:, 0], rtol=1e-7)


def test_gradients_through_both_networks(float64, central_difference):
    generator, discriminator, latents = _pair()
    rng = np.random.default_rng(4)

    @tf.function
    def value():
        scores = discriminator(generator(latents))
        return tf.reduce_sum(tf.constant([1.0, -2.0, 3.0], scores.dtype) * scores)

    variables = generator.trainable_variables + discriminator.trainable_variables
    with tf.GradientTape() as tape:
        result = value()
    gradients = tape.gradient(result, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        along = rng.normal(size=variable.shape)
        expected = central_difference(value, [variable], [along], 1e-7)
        np.testing.assert_allclose(
            np.sum(gradient * along), expected, 1e-5, 1e-7, err_msg=variable.path
        )


def test_passes_of_training_change_no_state():
    generator, discriminator, latents = _pair()
    variables = generator.variables + discriminator.variables
    before = [np.array(v) for v in variables]
    with tf.GradientTape() as tape:
        scores = discriminator(generator(latents, training=True))
    tape.gradient(scores, [v.value for v in variables if v.trainable])
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_sampling_of_one_image_does_not_depend_on_the_others():
    generator, _, latents = _pair()
    together = generator(latents, training=False)
    alone = generator(latents[:1], training=False)
    np.testing.assert_allclose(alone, together[:1], atol=1e-6)
    together, fewer = generator(latents), generator(latents[:2])
    assert np.abs(together[:2] - fewer).max() > 1e-3
