import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.batch_normalization import (
    BatchNormalization,
    collected_statistics,
)
from logan_tf.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
)
from logan_tf.layers.spectral_normalization import normalized_layers

_RNG = np.random.default_rng(0)
_IMAGES = _RNG.normal(1.5, 2.0, (6, 3, 2, 4))
_CONDITION = _RNG.normal(size=(6, 5))


def _layer(**kwargs):
    layer = ConditionalBatchNormalization(1e-3, dtype="float64", **kwargs)
    layer(_IMAGES, _CONDITION)
    return layer


def _expected(x, mean, variance, gain_kernel, bias_kernel):
    ones = (1,) * (x.ndim - 2)
    gain = 1 + _CONDITION @ gain_kernel
    bias = _CONDITION @ bias_kernel
    standard = (x - mean) / np.sqrt(variance + 1e-3)
    return standard * gain.reshape(6, *ones, 4) + bias.reshape(6, *ones, 4)


@pytest.mark.parametrize("x", [_IMAGES, _IMAGES[:, 0, 0]])
def test_forward(x, divided):
    layer = _layer()
    axes = tuple(range(x.ndim - 1))
    kernels = divided(layer.gain), divided(layer.bias)
    assert kernels[0].shape == kernels[1].shape == (5, 4)
    y = layer(x, _CONDITION)
    expected = _expected(x, x.mean(axes), x.var(axes), *kernels)
    np.testing.assert_allclose(y, expected, 1e-9)
    # Both projections matter.
    assert np.abs(np.subtract(*kernels)).max() > 0.1


def test_without_spectral_norms_and_from_zero_it_is_a_table_that_starts_neutral():
    layer = _layer(spectral_epsilon=None, kernel_initializer="zeros")
    standard = (_IMAGES - _IMAGES.mean((0, 1, 2))) / np.sqrt(
        _IMAGES.var((0, 1, 2)) + 1e-3
    )
    np.testing.assert_allclose(layer(_IMAGES, _CONDITION), standard, 1e-9)
    assert not [each for each in (layer.gain, layer.bias) if _is_spectral(each)]
    kernels = _RNG.normal(size=(2, 5, 4))
    layer.gain.kernel.assign(kernels[0])
    layer.bias.kernel.assign(kernels[1])
    axes = (0, 1, 2)
    expected = _expected(_IMAGES, _IMAGES.mean(axes), _IMAGES.var(axes), *kernels)
    np.testing.assert_allclose(layer(_IMAGES, _CONDITION), expected, 1e-9)


def _is_spectral(layer):
    return hasattr(layer, "spectral_norm")


def test_sampling_uses_standing_statistics(divided):
    layer = _layer()
    mean, variance = np.arange(4.0), np.arange(1.0, 5.0)
    layer.standing_mean.assign(mean)
    layer.standing_variance.assign(variance)
    y = layer(_IMAGES, _CONDITION, training=False)
    expected = _expected(
        _IMAGES, mean, variance, divided(layer.gain), divided(layer.bias)
    )
    np.testing.assert_allclose(y, expected, 1e-9)
    alone = layer(_IMAGES[:1], _CONDITION[:1], training=False)
    np.testing.assert_allclose(alone, y[:1], 1e-12)


def test_statistics_are_collected_with_those_of_other_normalizations():
    layer, other = _layer(), BatchNormalization(dtype="float64")
    with collected_statistics() as collected:
        other(layer(_IMAGES, _CONDITION))
    assert [each for each, _ in collected] == [layer, other]
    np.testing.assert_allclose(collected[0][1].mean, _IMAGES.mean((0, 1, 2)), 1e-12)


def test_derivatives(check_derivatives):
    layer = _layer()
    kernels = [layer.gain.kernel, layer.bias.kernel]
    check_derivatives(lambda x: layer(x, _CONDITION), _IMAGES, kernels)
    # LOGAN's latents come in through the condition.
    check_derivatives(lambda c: layer(_IMAGES, c), _CONDITION, kernels)


def test_training_changes_no_state():
    layer = _layer()
    names = [variable.name for variable in layer.variables]
    assert names == ["standing_mean", "standing_variance"] + 2 * ["kernel", "vector"]
    before = [np.array(variable) for variable in layer.variables]
    layer(_IMAGES, _CONDITION)
    layer(_IMAGES, _CONDITION, training=False)
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_statistics_are_float32_in_bfloat16():
    layer = ConditionalBatchNormalization(dtype="mixed_bfloat16")
    x = tf.constant(100 + _IMAGES, tf.bfloat16)
    with collected_statistics() as collected:
        y = layer(x, _CONDITION)
    assert y.dtype == tf.bfloat16
    (_, (mean, variance)) = collected[0]
    assert mean.dtype == variance.dtype == tf.float32
    exact = np.array(tf.cast(x, tf.float64))
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), 1e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), 1e-6)


def test_spectral_norms_are_found():
    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = ConditionalBatchNormalization()

        def call(self, x):
            return self.layer(x, x)

    network = Network()
    network(np.ones((2, 3), np.float32))
    found = sorted(map(id, normalized_layers(network)))
    assert found == sorted(map(id, (network.layer.gain, network.layer.bias)))
