"""Convolutions and their bias, in every precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.convolution import Conv2D
from logan_tf.layers.spectral_normalization import SpectralConv2D

LAYERS = [Conv2D, SpectralConv2D]


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("precision", ["float64", "float32", "mixed_bfloat16"])
def test_the_bias_learns_from_every_position(make, precision):
    """By a sum of the same numbers in float64: 16,384 of them, of one sign mostly."""
    layer = make(3, 3, padding="same", dtype=precision)
    x = np.random.default_rng(0).normal(size=(64, 16, 16, 2))
    cotangent = tf.cast(
        np.random.default_rng(1).normal(0.5, size=(64, 16, 16, 3)), layer.compute_dtype
    )
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        y = layer(tf.cast(x, layer.compute_dtype))
    gradient = tape.gradient(y, layer.bias.value, output_gradients=cotangent)
    assert gradient.dtype == layer.variable_dtype
    expected = np.sum(tf.cast(cotangent, tf.float64), axis=(0, 1, 2))
    tolerance = {"float64": 1e-12, "float32": 1e-4, "mixed_bfloat16": 1e-2}[precision]
    np.testing.assert_allclose(gradient, expected, tolerance)


@pytest.mark.parametrize("precision", ["float64", "mixed_bfloat16"])
def test_it_computes_what_keras_does(precision):
    ours, theirs = (
        make(3, 3, padding="same", activation="tanh", dtype=precision)
        for make in (Conv2D, keras.layers.Conv2D)
    )
    x = tf.cast(np.random.default_rng(0).normal(size=(2, 5, 5, 2)), ours.compute_dtype)
    for layer in (ours, theirs):
        layer.build(x.shape)
    theirs.set_weights([ours.kernel.numpy(), np.array([0.1, -0.2, 0.3])])
    ours.set_weights(theirs.get_weights())
    assert np.array_equal(tf.cast(ours(x), tf.float64), tf.cast(theirs(x), tf.float64))


def test_derivatives_by_finite_differences(check_derivatives):
    layer = Conv2D(2, 3, padding="same", dtype="float64")
    layer.build((2, 3, 3, 2))
    layer.bias.assign([0.3, -0.2])
    x = np.random.default_rng(3).normal(size=(2, 3, 3, 2))
    check_derivatives(layer, x, layer.trainable_variables)
