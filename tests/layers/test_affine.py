import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.affine import scale_and_shift

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(3, 4, 2, 5))
_SHAPES = [((5,), _X), ((3, 1, 1, 5), _X), ((5,), _X[:, 0, 0]), ((3, 5), _X[:, 0, 0])]


@pytest.mark.parametrize(("shape", "x"), _SHAPES)
def test_value_and_derivatives_in_the_gain(shape, x):
    gain, shift = (tf.Variable(_RNG.normal(size=shape)) for _ in range(2))

    def function(x):
        return scale_and_shift(x, gain.value(), shift.value())

    np.testing.assert_allclose(function(x), x * gain.numpy() + shift.numpy(), 1e-12)
    # The variables are read within, so that the tape sees them.
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(function(tf.constant(x)) ** 3)
        of_gain = inner.gradient(y, gain)
        slope = tf.reduce_sum(of_gain**2)
    found = outer.gradient(slope, [gain, shift])
    # A cube's derivatives in NumPy: y = Σ (x g + s)³.
    y = x * gain.numpy() + shift.numpy()
    axes = tuple(i for i in range(x.ndim - 1) if len(shape) == 1 or i)

    def total(values):
        return values.sum(axes, keepdims=len(shape) > 1)

    first = total(3 * y**2 * x)
    np.testing.assert_allclose(of_gain, first, 1e-9)
    np.testing.assert_allclose(found[0], 2 * first * total(6 * y * x**2), 1e-9)
    np.testing.assert_allclose(found[1], 2 * first * total(6 * y * x), 1e-9)


@pytest.mark.parametrize(("shape", "x"), _SHAPES)
def test_derivatives_in_x(shape, x, check_derivatives):
    gain, shift = (tf.constant(_RNG.normal(size=shape)) for _ in range(2))
    check_derivatives(lambda x: scale_and_shift(x, gain, shift), x)


@pytest.mark.parametrize("shape", [(5,), (3, 1, 1, 5)])
def test_nothing_of_the_product_is_tiled(shape):
    def second(function):
        x, gain = tf.constant(_X), tf.ones(shape, tf.float64)
        with tf.GradientTape() as outer:
            outer.watch([x, gain])
            with tf.GradientTape() as inner:
                inner.watch([x, gain])
                y = function(x, gain)
            first = inner.gradient(y, [x, gain], output_gradients=x**2)
        return outer.gradient(first, [x, gain], output_gradients=[x, gain])

    def tiles(function):
        graph = tf.function(second).get_concrete_function(function).graph
        kinds = [op.type for op in graph.get_operations()]
        return sum(kind in ("Tile", "BroadcastTo") for kind in kinds)

    shift = tf.zeros(shape, tf.float64)
    assert tiles(lambda x, gain: scale_and_shift(x, gain, shift)) == 0
    assert tiles(lambda x, gain: x * gain + shift) > 0
