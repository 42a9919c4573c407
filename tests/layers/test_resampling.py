import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.resampling import average_pool, max_pool, upsample

_X = np.random.default_rng(0).normal(size=(2, 4, 6, 3))


def _windows(x):
    """[batch, h / 2, w / 2, channels, 4]."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return np.moveaxis(x, (2, 4), (-2, -1)).reshape(
        batch, height // 2, width // 2, channels, 4
    )


_ORACLES = [
    (upsample, lambda x: x.repeat(2, 1).repeat(2, 2)),
    (average_pool, lambda x: _windows(x).mean(-1)),
    (max_pool, lambda x: _windows(x).max(-1)),
]


@pytest.mark.parametrize(("function", "oracle"), _ORACLES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_forward(function, oracle, dtype):
    x = tf.cast(_X, dtype)
    expected = oracle(np.array(tf.cast(x, "float64")))
    tolerance = {"float64": 1e-14, "float32": 1e-6, "bfloat16": 1e-2}[dtype]
    y = function(x)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(tf.cast(y, "float64"), expected, tolerance, tolerance)


@pytest.mark.parametrize("function", [upsample, average_pool, max_pool])
def test_derivatives(function, check_derivatives):
    check_derivatives(function, _X)


def _third_order(function, x, u):
    """Values whose gradients come from the third derivative's graph."""
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as middle:
            middle.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(function(x) ** 4)
            first = tf.reduce_sum(inner.gradient(y, x) * u)
        second = tf.reduce_sum(middle.gradient(first, x) * u)
    return first, second, outer.gradient(second, x)


@pytest.mark.parametrize("function", [upsample, average_pool, max_pool])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_xla_compiles_derivatives_of_all_orders(function, dtype, xla):
    x = tf.cast(_X, dtype)
    u = tf.ones_like(x)
    plain = _third_order(function, x, u)
    compiled = tf.function(_third_order, jit_compile=True)(function, x, u)
    # XLA keeps more of a bfloat16's intermediate digits.
    tolerance = {"float32": 1e-4, "bfloat16": 0.1}[dtype]
    for a, b in zip(compiled, plain, strict=True):
        largest = tf.reduce_max(tf.abs(b))
        assert tf.reduce_max(tf.abs(a - b)) <= tolerance * largest


def test_equally_large_pixels_share_the_gradient():
    x = tf.constant([[[[1.0], [3.0]], [[3.0], [3.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = max_pool(x)
    np.testing.assert_allclose(y, [[[[3]]]], 1e-6)
    np.testing.assert_allclose(
        np.squeeze(tape.gradient(y, x)), [[0, 1 / 3], [1 / 3, 1 / 3]], 1e-6
    )


def test_the_largest_beside_infinities_and_nan():
    infinite, number = -np.inf, np.nan
    x = [[[infinite, 1], [2, infinite]], [[infinite] * 2] * 2, [[number, 1], [2, 3]]]
    x = tf.constant(x, tf.float32)[..., None]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = max_pool(x)
    np.testing.assert_array_equal(np.squeeze(y), [2, infinite, number])
    slopes = np.squeeze(tape.gradient(y, x))[:2]
    np.testing.assert_array_equal(slopes, [[[0, 0], [1, 0]], [[1 / 4] * 2] * 2])
