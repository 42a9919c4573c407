import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.self_attention import SelfAttention

_X = np.random.default_rng(0).normal(size=(3, 4, 2, 16))


def _layer(gamma=0.7):
    layer = SelfAttention(dtype="float64")
    layer(_X)
    layer.gamma.assign(gamma)
    return layer


def _pooled(x):
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return x.max((2, 4)).reshape(batch, -1, channels)


def test_forward(divided):
    layer = _layer()
    kernels = [
        divided(each)[0, 0] for each in (layer.theta, layer.phi, layer.g, layer.o)
    ]
    assert [k.shape for k in kernels] == [(16, 2), (16, 2), (16, 8), (8, 16)]
    theta, phi, g, o = kernels
    query = (_X @ theta).reshape(3, 8, 2)
    logits = np.einsum("bqc,bkc->bqk", query, _pooled(_X @ phi))
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert weights.shape == (3, 8, 2)
    attended = np.einsum("bqk,bkc->bqc", weights, _pooled(_X @ g)).reshape(3, 4, 2, 8)
    np.testing.assert_allclose(layer(_X), _X + 0.7 * attended @ o, 1e-9)


def test_it_starts_as_the_identity():
    layer = SelfAttention(dtype="float64")
    np.testing.assert_array_equal(layer(_X), _X)
    names = [variable.name for variable in layer.trainable_variables]
    assert sorted(names) == ["gamma"] + 4 * ["kernel"]


def test_derivatives(check_derivatives):
    layer = _layer()
    assert len(layer.trainable_variables) == 5
    check_derivatives(layer, _X, layer.trainable_variables)


def test_softmax_is_float32_in_bfloat16():
    whole, half = SelfAttention(), SelfAttention(dtype="mixed_bfloat16")
    x = tf.constant(3 * _X, tf.float32)
    whole(x)
    y = half(x)
    for variable, value in zip(half.variables, whole.variables, strict=True):
        variable.assign(value)
    for layer in (whole, half):
        layer.gamma.assign(1.0)
    y = half(x)
    assert y.dtype == tf.bfloat16
    assert half.theta.kernel.dtype == "float32"
    graph = tf.function(half).get_concrete_function(x).graph
    (softmax,) = [op for op in graph.get_operations() if op.type == "Softmax"]
    assert softmax.inputs[0].dtype == tf.float32
    np.testing.assert_allclose(tf.cast(y, tf.float32), whole(x), atol=0.2)


def test_channels_that_cannot_be_divided():
    with pytest.raises(ConfigurationError, match="multiple of 8 channels, not 12"):
        SelfAttention()(np.ones((1, 2, 2, 12), np.float32))
