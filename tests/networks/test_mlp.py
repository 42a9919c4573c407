import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers import spectral_normalization
from logan_tf.networks import mlp


def _dense(x, layer):
    return x @ np.array(layer.kernel) + np.array(layer.bias)


def _with_biases(network):
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        if variable.name == "bias":
            variable.assign(rng.normal(size=variable.shape))
    return network


def test_generator_is_the_ring_of_unrolled_gan(float64):
    generator, latents = mlp.Generator(), np.random.default_rng(1).normal(size=(5, 256))
    generator(latents)
    _with_biases(generator)
    first, second = generator._hidden
    assert first.kernel.shape == (256, 128)
    assert second.kernel.shape == (128, 128)
    hidden = np.maximum(_dense(np.maximum(_dense(latents, first), 0), second), 0)
    expected = _dense(hidden, generator._output)
    assert expected.shape == (5, 2)
    np.testing.assert_allclose(generator(latents), expected, 1e-7)
    assert generator.latent_dim == 256


@pytest.mark.parametrize("spectral", [False, True])
def test_discriminator_divides_by_4(spectral, float64):
    discriminator = mlp.Discriminator(spectral_normalization=spectral)
    points = np.random.default_rng(1).normal(size=(5, 2))
    discriminator(points)
    _with_biases(discriminator)
    found = spectral_normalization.normalized_layers(discriminator)
    assert len(found) == (2 if spectral else 0)
    x = points / 4
    for layer in (*discriminator._hidden, discriminator._score):
        kernel, sigma = np.array(layer.kernel), 1
        if spectral:
            sigma = np.linalg.norm(kernel @ np.array(layer.spectral_norm.vector))
        x = np.maximum(x, 0) if layer is discriminator._score else x
        x = x @ (kernel / sigma) + np.array(layer.bias)
    scores = discriminator(points)
    assert scores.shape == (5,)
    np.testing.assert_allclose(scores, x[:, 0], 1e-5)
    assert discriminator.image_shape == (2,)


def test_kernels_start_orthogonal_of_gain_08():
    generator, discriminator = mlp.Generator(6, (9, 4), 3), mlp.Discriminator((7,), 3)
    discriminator(generator(np.ones((1, 6), np.float32)))
    kernels = [
        np.array(v)
        for v in generator.trainable_variables + discriminator.trainable_variables
        if v.name == "kernel"
    ]
    assert [k.shape for k in kernels] == [(6, 9), (9, 4), (4, 3), (3, 7), (7, 1)]
    for kernel in kernels:
        tall = kernel if kernel.shape[0] >= kernel.shape[1] else kernel.T
        expected = 0.64 * np.eye(tall.shape[1])
        np.testing.assert_allclose(tall.T @ tall, expected, atol=1e-5)


def test_gradients(float64, central_difference):
    generator = mlp.Generator(4, (5, 5))
    discriminator = mlp.Discriminator((6,), spectral_normalization=True)
    latents = np.random.default_rng(1).normal(size=(7, 4))

    @tf.function
    def loss():
        return tf.reduce_sum(discriminator(generator(latents)) ** 2)

    loss()
    variables = generator.trainable_variables + discriminator.trainable_variables
    assert len(variables) == 10
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        along = np.random.default_rng(2).normal(size=variable.shape)
        expected = central_difference(loss, [variable], [along])
        np.testing.assert_allclose(np.sum(gradient * along), expected, 1e-6, 1e-9)


def test_passes_change_no_state():
    generator = mlp.Generator(4, (5,))
    discriminator = mlp.Discriminator(spectral_normalization=True)
    latents = np.ones((3, 4), np.float32)
    discriminator(generator(latents))
    variables = generator.variables + discriminator.variables
    before = [np.array(v) for v in variables]
    discriminator(generator(latents, training=True))
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
