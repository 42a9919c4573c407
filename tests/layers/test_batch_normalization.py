import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.batch_normalization import (
    BatchNormalization,
    Statistics,
    collected_statistics,
)

_RNG = np.random.default_rng(0)
_IMAGES = _RNG.normal(1.5, 2.0, (6, 3, 3, 4))
_SCALE, _OFFSET = _RNG.normal(1, 0.3, 4), _RNG.normal(0, 0.3, 4)


def _layer(epsilon=1e-3):
    layer = BatchNormalization(epsilon, dtype="float64")
    layer.build((None, 4))
    layer.scale.assign(_SCALE)
    layer.offset.assign(_OFFSET)
    return layer


def _keras_layer():
    layer = keras.layers.BatchNormalization(dtype="float64")
    layer.build((None, 4))
    layer.gamma.assign(_SCALE)
    layer.beta.assign(_OFFSET)
    return layer


@pytest.mark.parametrize("x", [_IMAGES, _IMAGES[:, 0, 0]])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_forward(x, epsilon):
    axes = tuple(range(x.ndim - 1))
    standard = (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon)
    y = _layer(epsilon)(x)
    assert y.dtype == tf.float64
    np.testing.assert_allclose(y, standard * _SCALE + _OFFSET, 1e-10)


def test_first_derivative(central_difference):
    layer, x = _layer(), tf.Variable(_IMAGES)
    weights = np.random.default_rng(1).normal(size=x.shape)
    variables = [x, layer.scale, layer.offset]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weights * layer(x))
    gradients = tape.gradient(loss, [x, layer.scale.value, layer.offset.value])
    for variable, gradient in zip(variables, gradients, strict=True):
        along = np.random.default_rng(2).normal(size=variable.shape)
        expected = central_difference(
            lambda: tf.reduce_sum(weights * layer(x)), [variable], [along]
        )
        np.testing.assert_allclose(np.sum(gradient * along), expected, 1e-7)


def _second_derivative_error(layer, central_difference):
    """Relative error of ∂²/∂z∂W of a loss on layer(z W), LOGAN's kind, along vectors.

    Returns the worst error over directions in W and the layer's own weights.
    """
    rng = np.random.default_rng(3)
    z, along_z = tf.constant(rng.normal(size=(7, 5))), rng.normal(size=(7, 5))
    kernel = tf.Variable(rng.normal(size=(5, 4)))
    weights = rng.normal(size=(7, 4))

    @tf.function
    def slope_in_z():
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = tf.reduce_sum(weights * layer(z @ kernel, training=True))
        return tf.reduce_sum(tape.gradient(loss, z) * along_z)

    variables = [kernel, layer.trainable_variables[0]]
    with tf.GradientTape() as tape:
        slope = slope_in_z()
    gradients = tape.gradient(slope, [kernel, layer.trainable_variables[0].value])
    errors = []
    for variable, gradient in zip(variables, gradients, strict=True):
        along = rng.normal(size=variable.shape)
        expected = central_difference(slope_in_z, [variable], [along])
        errors.append(abs(np.sum(gradient * along) / expected - 1))
    return max(errors)


def test_second_derivative(central_difference):
    assert _second_derivative_error(_layer(), central_difference) < 1e-6


def test_second_derivative_of_keras_layer_is_wrong(central_difference):
    """The reason why there is a layer of our own."""
    assert _second_derivative_error(_keras_layer(), central_difference) > 1e-2


def test_training_changes_no_state():
    layer = _layer()
    before = [np.array(variable) for variable in layer.variables]
    assert len(before) == 4
    layer(_IMAGES, training=True)
    layer(_IMAGES, training=False)
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert len(layer.trainable_variables) == 2


def test_sampling_uses_standing_statistics():
    layer = _layer()
    mean, variance = np.arange(4.0), np.arange(1.0, 5.0)
    layer.set_standing_statistics(Statistics(mean, variance))
    standard = (_IMAGES - mean) / np.sqrt(variance + 1e-3)
    y = layer(_IMAGES, training=False)
    np.testing.assert_allclose(y, standard * _SCALE + _OFFSET, 1e-10)
    # One sample's output does not depend on the others.
    alone = layer(_IMAGES[:1], training=False)
    np.testing.assert_allclose(alone, y[:1], 1e-12)


def _derivatives(layer, x, along):
    """y, the slope of a loss along a direction, and the derivative of that slope."""
    x, along = (tf.constant(each, layer.dtype) for each in (x, along))
    weights = tf.constant(np.random.default_rng(5).normal(size=x.shape), layer.dtype)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(weights * (y + y**2))
        first = inner.gradient(loss, x)
        slope = tf.reduce_sum(first * along)
    return [np.array(each, np.float64) for each in (y, first, outer.gradient(slope, x))]


@pytest.mark.parametrize("ratio", [0, 100, 1000, -1000])
def test_float32_where_a_mean_is_many_deviations(ratio):
    """Against float64 on the very numbers that float32 has of x."""
    rng = np.random.default_rng(6)
    x = np.float32(rng.normal(ratio, 1, (16, 5, 5, 4)) * [0.01, 1, 3, 100])
    along = rng.normal(size=x.shape)
    layers = []
    for dtype in ("float32", "float64"):
        layer = BatchNormalization(1e-5, dtype=dtype)
        layer.build((None, 4))
        layers.append(layer)
    found, expected = (_derivatives(layer, x, along) for layer in layers)
    for order, (ours, exact) in enumerate(zip(found, expected, strict=True)):
        error = np.abs(ours - exact).max((0, 1, 2)) / np.abs(exact).max((0, 1, 2))
        assert error.max() < 3e-5, (order, error)


def test_a_shift_of_the_input_changes_no_derivative():
    """In float64, where nothing cancels: those of x are those of x + 1,000."""
    layer, along = _layer(), np.random.default_rng(8).normal(size=_IMAGES.shape)
    for near, far in zip(
        _derivatives(layer, _IMAGES, along),
        _derivatives(layer, _IMAGES + 1000, along),
        strict=True,
    ):
        np.testing.assert_allclose(far, near, rtol=1e-8, atol=1e-8)


def test_constant_channel_in_float32_stays_finite():
    layer = BatchNormalization(1e-3)
    x = tf.Variable(np.full((64, 2), [1000.1, -77.7], np.float32))
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = layer(x)
        gradient = inner.gradient(y, x)
    for values in (y, gradient, outer.gradient(gradient, x)):
        assert np.all(np.isfinite(values))
    with collected_statistics() as collected:
        layer(x)
    layer.set_standing_statistics(collected[0][1])
    assert np.all(np.array(layer.standing_variance) >= 0)


@pytest.mark.usefixtures("mixed_bfloat16")
def test_bfloat16_is_normalized_in_float32():
    """A mean of 5 deviations: in bfloat16 E[x²] − E[x]² would be mostly rounding."""
    layer = BatchNormalization()
    x = tf.cast(np.random.default_rng(4).normal(5, 1, (64, 4, 4, 3)), tf.bfloat16)
    with collected_statistics() as collected:
        y = layer(x)
    assert y.dtype == tf.bfloat16
    assert {variable.dtype for variable in layer.variables} == {"float32"}
    exact = np.array(tf.cast(x, tf.float64))
    mean, variance = exact.mean((0, 1, 2)), exact.var((0, 1, 2))
    statistics = collected[0][1]
    assert statistics.mean.dtype == statistics.variance.dtype == tf.float32
    np.testing.assert_allclose(statistics.mean, mean, 1e-6)
    np.testing.assert_allclose(statistics.variance, variance, 1e-3)
    expected = (exact - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(tf.cast(y, tf.float64), expected, rtol=2**-8, atol=2e-3)
    layer.set_standing_statistics(statistics)
    np.testing.assert_allclose(
        tf.cast(layer(x, training=False), tf.float64),
        tf.cast(y, tf.float64),
        rtol=2**-7,
        atol=2e-3,
    )


def test_statistics_are_collected_inside_the_context_only():
    first, second = _layer(), _layer()
    with collected_statistics() as collected:
        second(first(_IMAGES))
        first(_IMAGES, training=False)
    first(_IMAGES)
    assert [layer for layer, _ in collected] == [first, second]
    mean, variance = collected[0][1]
    np.testing.assert_allclose(mean, _IMAGES.mean((0, 1, 2)), 1e-12)
    np.testing.assert_allclose(variance, _IMAGES.var((0, 1, 2)), 1e-12)


_TWO_REPLICAS = """
import numpy as np, tensorflow as tf
from logan_tf.layers.batch_normalization import BatchNormalization, collected_statistics
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
rng = np.random.default_rng(0)
z, u, weights = (tf.constant(rng.normal(size=(8, 3))) for _ in range(3))
with strategy.scope():
    layer = BatchNormalization(dtype="float64")
    layer.build((None, 3))
    kernel = tf.Variable(np.eye(3) + 0.1 * np.arange(9.0).reshape(3, 3))

def second_derivative(z, u, weights):
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(z)
            with collected_statistics() as collected:
                y = layer(z @ kernel)
            loss = tf.reduce_sum(weights * y)
        slope = tf.reduce_sum(inner.gradient(loss, z) * u)
    replica = tf.distribute.get_replica_context()
    gradient = outer.gradient(slope, kernel)
    if replica is not None and replica.num_replicas_in_sync > 1:
        gradient = replica.all_reduce("SUM", gradient)
    return y, gradient, collected[0][1]

def halves(x):
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.split(x, 2)[context.replica_id_in_sync_group])

whole = second_derivative(z, u, weights)
parts = tf.function(
    lambda *args: strategy.run(second_derivative, args)
)(halves(z), halves(u), halves(weights))
y, gradient, statistics = parts
np.testing.assert_allclose(tf.concat(y.values, 0), whole[0], 1e-10)
np.testing.assert_allclose(gradient.values[0], whole[1], 1e-9)
for distributed, expected in zip(statistics, whole[2]):
    for values in distributed.values:
        np.testing.assert_allclose(values, expected, 1e-10)
print("equal", len(y.values))
"""


@pytest.mark.slow
def test_two_replicas_share_their_moments():
    """Virtual devices must be made before TensorFlow starts: a process of its own."""
    process = subprocess.run(
        [sys.executable, "-c", _TWO_REPLICAS], capture_output=True, text=True
    )
    assert process.stdout == "equal 2\n", process.stderr[-2000:]
