import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers import spectral_normalization
from logan_tf.layers.embedding import Embedding, SpectralEmbedding

_LABELS = np.array([2, 0, 2, 4], np.int32)


def _layer(kind):
    layer = kind(5, 3, dtype="float64")
    assert layer(_LABELS).shape == (4, 3)
    layer.kernel.assign(np.random.default_rng(0).normal(size=(5, 3)))
    return layer


def test_rows_of_the_table():
    layer = _layer(Embedding)
    expected = np.array(layer.kernel)[_LABELS]
    np.testing.assert_array_equal(layer(_LABELS), expected)
    assert not spectral_normalization.normalized_layers(keras.Sequential([layer]))


def test_rows_of_the_normalized_table(divided):
    layer = _layer(SpectralEmbedding)
    np.testing.assert_allclose(layer(_LABELS), divided(layer)[_LABELS], 1e-9)
    spectral_normalization.advance(keras.Sequential([layer]))
    matrix = np.array(layer.kernel)
    vector = np.array(layer.spectral_norm.vector)
    for _ in range(200):
        spectral_normalization.advance(keras.Sequential([layer]))
    largest = np.linalg.svd(matrix, compute_uv=False)[0]
    vector = np.array(layer.spectral_norm.vector)
    np.testing.assert_allclose(np.linalg.norm(matrix @ vector), largest, 1e-6)


@pytest.mark.parametrize("kind", [Embedding, SpectralEmbedding])
def test_gradients_are_plain_tensors(kind, central_difference):
    layer, weights = _layer(kind), np.random.default_rng(1).normal(size=(4, 3))

    def loss():
        return tf.reduce_sum(weights * layer(_LABELS) ** 2)

    with tf.GradientTape() as tape:
        value = loss()
    gradient = tape.gradient(value, layer.kernel.value)
    assert isinstance(gradient, tf.Tensor)
    along = np.random.default_rng(2).normal(size=(5, 3))
    expected = central_difference(loss, [layer.kernel], [along])
    np.testing.assert_allclose(np.sum(gradient * along), expected, 1e-7)


def test_tables_start_orthogonal():
    layer = Embedding(5, 3)
    layer(_LABELS)
    kernel = np.array(layer.kernel)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(3), atol=1e-5)
