import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers import spectral_normalization
from logan_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def _conv(**kwargs):
    """A 3×3 convolution of 4 channels to 6 without padding, and one 3×3 input."""
    layer = SpectralConv2D(6, 3, bias_initializer="normal", dtype="float64", **kwargs)
    return layer, np.random.default_rng(1).normal(size=(5, 3, 3, 4))


def _dense(**kwargs):
    layer = SpectralDense(6, bias_initializer="normal", dtype="float64", **kwargs)
    return layer, np.random.default_rng(1).normal(size=(5, 36))


layers = pytest.mark.parametrize("make", [_conv, _dense])


def _advance(layer, times=1):
    for _ in range(times):
        layer.spectral_norm.advance(layer.kernel)


def _matrix(layer):
    return np.array(layer.kernel).reshape(36, 6)


@layers
def test_sigma_becomes_the_largest_singular_value(make):
    layer, x = make(epsilon=0.0)
    layer(x)
    _advance(layer, 300)
    largest = np.linalg.svd(_matrix(layer), compute_uv=False)[0]
    np.testing.assert_allclose(layer.spectral_norm.sigma(layer.kernel), largest, 1e-9)
    # A convolution of an input as large as its kernel is a product of matrices.
    expected = x.reshape(5, 36) @ (_matrix(layer) / largest) + np.array(layer.bias)
    np.testing.assert_allclose(np.reshape(layer(x), (5, 6)), expected, 1e-8)


@layers
def test_before_it_converges_sigma_is_the_norm_at_v(make):
    layer, x = make()
    layer(x)
    vector = np.array(layer.spectral_norm.vector)
    np.testing.assert_allclose(np.linalg.norm(vector), 1, 1e-6)
    sigma = np.linalg.norm(_matrix(layer) @ vector) + 1e-6
    expected = x.reshape(5, 36) @ _matrix(layer) / sigma + np.array(layer.bias)
    np.testing.assert_allclose(np.reshape(layer(x), (5, 6)), expected, 1e-10)


@layers
def test_advance_is_one_power_iteration(make):
    layer, x = make(epsilon=0.0)
    layer(x)
    matrix, vector = _matrix(layer), np.array(layer.spectral_norm.vector)
    _advance(layer)
    vector = matrix.T @ (matrix @ vector)
    vector /= np.linalg.norm(vector)
    np.testing.assert_allclose(layer.spectral_norm.vector, vector, 1e-12)
    np.testing.assert_array_equal(_matrix(layer), matrix)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [1e-5, 1e-30, 0.0])
def test_a_vector_survives_a_kernel_that_shrinks_and_returns(factor, dtype):
    layer = SpectralDense(6, epsilon=1e-4, dtype=dtype)
    layer(np.ones([5, 36]))
    kernel = np.array(layer.kernel)
    layer.kernel.assign(kernel * factor)
    _advance(layer, 100)
    np.testing.assert_allclose(np.linalg.norm(layer.spectral_norm.vector), 1, 1e-6)
    layer.kernel.assign(kernel)
    _advance(layer, 300)
    largest = np.linalg.svd(_matrix(layer), compute_uv=False)[0]
    np.testing.assert_allclose(
        layer.spectral_norm.sigma(layer.kernel), largest + 1e-4, 1e-5
    )


def test_a_vector_that_had_died_comes_back():
    layer, x = _dense()
    layer(x)
    layer.spectral_norm.vector.assign(np.zeros(6))
    _advance(layer, 300)
    largest = np.linalg.svd(_matrix(layer), compute_uv=False)[0]
    np.testing.assert_allclose(layer.spectral_norm.sigma(layer.kernel), largest, 1e-5)


@layers
def test_forward_and_backward_change_no_state(make):
    layer, x = make()
    layer(x)
    before = [np.array(variable) for variable in layer.variables]
    assert len(before) == 3
    with tf.GradientTape() as tape:
        y = layer(x, training=True)
    tape.gradient(y, layer.kernel.value)
    layer(x, training=False)
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@layers
def test_gradient_flows_through_sigma(make, central_difference):
    layer, x = make()
    rng = np.random.default_rng(2)
    weights = rng.normal(size=layer(x).shape)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weights * layer(x))
    gradient = tape.gradient(loss, layer.kernel.value)
    for _ in range(4):
        along = rng.normal(size=layer.kernel.shape)
        expected = central_difference(
            lambda: tf.reduce_sum(weights * layer(x)), [layer.kernel], [along]
        )
        np.testing.assert_allclose(np.sum(gradient * along), expected, 1e-7)
    # The output without its bias is homogeneous of degree 0 in W, but for epsilon.
    assert abs(np.sum(gradient * np.array(layer.kernel))) < 1e-4


@layers
def test_second_derivative_flows_through_sigma(make, central_difference):
    layer, x = make()
    rng = np.random.default_rng(3)
    x, along_x = tf.constant(x), rng.normal(size=x.shape)
    weights = rng.normal(size=layer(x).shape)

    def slope_in_x():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(weights * layer(x) ** 2)
        return tf.reduce_sum(tape.gradient(loss, x) * along_x)

    with tf.GradientTape() as tape:
        slope = slope_in_x()
    gradient = tape.gradient(slope, layer.kernel.value)
    along = rng.normal(size=layer.kernel.shape)
    expected = central_difference(slope_in_x, [layer.kernel], [along])
    np.testing.assert_allclose(np.sum(gradient * along), expected, 1e-7)


@pytest.mark.usefixtures("mixed_bfloat16")
@pytest.mark.parametrize(
    ("make", "shape"),
    [(lambda: SpectralConv2D(6, 3), (5, 3, 3, 4)), (lambda: SpectralDense(6), (5, 36))],
)
def test_bfloat16_computes_with_the_rounded_normalized_kernel(make, shape):
    layer, x = make(), tf.random.stateless_normal(shape, (0, 0))
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_sum(tf.cast(y, tf.float32))
    assert y.dtype == tf.bfloat16
    assert tape.gradient(loss, layer.kernel.value).dtype == tf.float32
    assert {variable.dtype for variable in layer.variables} == {"float32"}
    matrix = np.array(layer.kernel, np.float64).reshape(36, 6)
    sigma = np.linalg.norm(matrix @ np.array(layer.spectral_norm.vector)) + 1e-6
    np.testing.assert_allclose(layer.spectral_norm.sigma(layer.kernel), sigma, 1e-6)
    # Rounded once, to eight binary digits.
    rounded = layer.normalized_kernel()
    assert rounded.dtype == tf.bfloat16
    kernel = np.array(tf.cast(rounded, tf.float64)).reshape(36, 6)
    np.testing.assert_allclose(kernel, matrix / sigma, rtol=2**-8)
    exact = np.array(tf.cast(tf.cast(x, tf.bfloat16), tf.float64)).reshape(5, 36)
    found = np.array(tf.cast(y, tf.float64)).reshape(5, 6)
    # The product is rounded, and on a CPU without bfloat16 cut off instead.
    np.testing.assert_allclose(found, exact @ kernel, rtol=2**-7, atol=1e-4)


def test_vectors_start_in_different_directions():
    vectors = []
    for _ in range(2):
        layer, x = _dense()
        layer(x)
        vectors.append(np.array(layer.spectral_norm.vector))
    assert np.max(np.abs(vectors[0] - vectors[1])) > 0.1


def test_vector_is_no_trainable_weight_and_is_saved():
    layer, x = _conv()
    layer(x)
    names = [variable.name for variable in layer.trainable_variables]
    assert names == ["kernel", "bias"]
    assert any(v is layer.spectral_norm.vector for v in layer.variables)


def test_dense_without_bias_and_with_activation():
    layer, x = _dense(use_bias=False, activation="tanh")
    y = layer(x)
    sigma = np.linalg.norm(_matrix(layer) @ np.array(layer.spectral_norm.vector))
    np.testing.assert_allclose(y, np.tanh(x @ _matrix(layer) / sigma), 1e-5)


def test_network_advances_every_layer_once_nested_ones_too():
    nested = keras.Sequential([SpectralDense(5), keras.layers.Dense(4)])
    network = keras.Sequential([SpectralDense(6), nested, SpectralDense(1)])
    network(np.ones((2, 3)))
    found = spectral_normalization.normalized_layers(network)
    assert len(found) == 3
    before = [np.array(layer.spectral_norm.vector) for layer in found]
    spectral_normalization.advance(network)
    for layer, vector in zip(found, before, strict=True):
        matrix = np.array(layer.kernel)
        vector = matrix.T @ (matrix @ vector)
        expected = vector / np.linalg.norm(vector)
        np.testing.assert_allclose(layer.spectral_norm.vector, expected, atol=1e-5)
    sigmas = [
        np.linalg.norm(np.array(layer.kernel) @ np.array(layer.spectral_norm.vector))
        for layer in found
    ]
    largest = spectral_normalization.largest_sigma(network)
    np.testing.assert_allclose(largest, max(sigmas), 1e-5)


def test_network_without_spectral_norm():
    network = keras.Sequential([keras.layers.Dense(2)])
    network(np.ones((2, 3)))
    spectral_normalization.advance(network)
    assert spectral_normalization.largest_sigma(network) == 0
