import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.activations import leaky_relu, relu

_X = np.array([[-3.0, -1e-3, 0.0, 1e-3, 2.5]])


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.2, 1.0])
def test_value_and_derivative(slope):
    x = tf.constant(_X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = leaky_relu(x, slope)
    assert y.dtype == tf.float64
    np.testing.assert_allclose(y, np.maximum(_X, slope * _X), rtol=1e-7)
    derivative = np.where(_X > 0, 1.0, slope)
    np.testing.assert_allclose(tape.gradient(y, x), derivative, rtol=1e-7)


def test_relu_and_the_default_slope():
    np.testing.assert_array_equal(relu(tf.constant(_X)), np.maximum(_X, 0))
    np.testing.assert_allclose(
        leaky_relu(tf.constant(_X)), np.maximum(_X, 0.2 * _X), rtol=1e-7
    )


@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_infinities_and_nan(slope, dtype):
    x = tf.cast([-np.inf, np.inf, np.nan], dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = leaky_relu(x, slope)
    low = -np.inf if slope else 0
    np.testing.assert_array_equal(tf.cast(y, "float64"), [low, np.inf, np.nan])
    slopes = tf.cast(tape.gradient(y, x), "float64")[:2]
    np.testing.assert_allclose(slopes, [slope, 1], 1e-2)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_bfloat16(slope):
    x = tf.cast(_X, tf.bfloat16)
    exact = np.array(tf.cast(x, tf.float64))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = leaky_relu(x, slope)
    assert y.dtype == tf.bfloat16
    found = [tf.cast(z, tf.float64) for z in (y, tape.gradient(y, x))]
    np.testing.assert_allclose(found[0], np.maximum(exact, slope * exact), 2**-8)
    np.testing.assert_allclose(found[1], np.where(exact > 0, 1.0, slope), 2**-8)


def _second_derivative(activation):
    """Of an activation whose cotangent does not depend on x; None: no path."""
    x, cotangent = tf.constant(_X), tf.constant(_X + 1)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = activation(x)
        first = inner.gradient(y, x, output_gradients=cotangent)
    return outer.gradient(first, x)


def test_backward_pass_has_no_path_to_x():
    assert _second_derivative(relu) is None
    assert _second_derivative(leaky_relu) is None
    assert _second_derivative(tf.nn.relu) is not None


def test_second_derivative_of_what_follows_is_kept():
    x = tf.constant([-2.0, 3.0], tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = leaky_relu(x, 0.5) ** 3
        first = inner.gradient(y, x)
    # (sx)³ has the second derivative 6 s³ x.
    np.testing.assert_allclose(outer.gradient(first, x), [6 * 0.125 * -2, 18])
