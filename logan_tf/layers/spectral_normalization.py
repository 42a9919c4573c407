"""Spectral normalization (Miyato et al. 2018) as a reparametrization.

A layer holds the free kernel W and computes with W / σ(W), where σ = ‖W v‖ and v, a
unit vector, is the power iteration's estimate of the leading right singular vector. v
is a constant to every gradient and W inside σ is not: dσ = uᵀ dW v with u = W v / ‖W
v‖, the paper's eq. 11 and 12. v is advanced by one power iteration when `advance` is
called and at no other time, so a forward pass has no side effect, and the inner and the
outer pass of one update see the same network.

Difference from the paper: it iterates at every forward pass, we do once an update.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from logan_tf.layers.convolution import Conv2D


class _UnitNormal(keras.initializers.RandomNormal):
    """A random direction."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
        return tf.linalg.l2_normalize(super().__call__(shape, dtype))


class SpectralNorm(keras.layers.Layer):
    """The vector v of one kernel, and what is done with it.

    The kernel is read as the matrix [fan_in, outputs]: all axes but the last are
    flattened.

    Args:
      epsilon: added to σ. Not to v's norm: a kernel no larger than it would shrink v at
        each iteration, until nothing could bring it back.
      dtype: of W, v and σ; that of the layer's variables.
    """

    def __init__(self, epsilon: float, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.epsilon = epsilon

    def build(self, kernel_shape: tuple[int, ...]) -> None:
        self.vector = self.add_weight(
            name="vector",
            shape=(kernel_shape[-1],),
            initializer=_UnitNormal(),
            trainable=False,
            autocast=False,
        )
        self.built = True

    def normalize(self, kernel: tf.Tensor) -> tf.Tensor:
        """W / σ(W): the kernel's shape and dtype."""
        kernel = tf.convert_to_tensor(kernel)
        # The derivative of a quotient passes over the kernel three times more.
        return kernel * (1 / self.sigma(kernel))

    def sigma(self, kernel: tf.Tensor) -> tf.Tensor:
        """σ = ‖W v‖ at v as it stands: a scalar, at most the true norm."""
        product = tf.linalg.matvec(self._matrix(kernel), self.vector.value)
        return tf.norm(product) + self.epsilon

    def advance(self, kernel: tf.Tensor) -> None:
        """One power iteration: v ← WᵀW v, normalized; a new start where that is 0."""
        matrix = self._matrix(kernel)
        left = _unit(tf.linalg.matvec(matrix, self.vector.value))
        right = _unit(tf.linalg.matvec(matrix, left, transpose_a=True))
        start = _unit(tf.ones_like(right))
        self.vector.assign(tf.where(tf.reduce_any(right != 0), right, start))

    def _matrix(self, kernel: tf.Tensor) -> tf.Tensor:
        *inputs, outputs = kernel.shape
        return tf.reshape(kernel, (math.prod(inputs), outputs))


def _unit(vector: tf.Tensor) -> tf.Tensor:
    """A vector of length 1, however short it was; 0 stays 0."""
    # Squares of what is below 1e-19 would be 0 in float32.
    scaled = tf.math.divide_no_nan(vector, tf.reduce_max(tf.abs(vector)))
    return tf.math.divide_no_nan(scaled, tf.norm(scaled))


class SpectrallyNormalized(keras.layers.Layer):
    """A mixin for layers that hold a `kernel` and compute with it divided by σ.

    It comes before the layer's class, whose computation has to use
    `normalized_kernel()`.

    Args:
      epsilon: added to σ.
    """

    kernel: keras.Variable

    def __init__(self, *args: Any, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spectral_norm = SpectralNorm(epsilon, self.variable_dtype)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.spectral_norm.build(tuple(self.kernel.shape))

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        # In mixed precision the kernel is normalized as it is stored, and then rounded.
        if kwargs.get("name") == "kernel":
            kwargs["autocast"] = False
        return super().add_weight(*args, **kwargs)

    def normalized_kernel(self) -> tf.Tensor:
        """W / σ(W), in the dtype that the layer computes in."""
        normalized = self.spectral_norm.normalize(self.kernel)
        return tf.cast(normalized, self.compute_dtype)


class SpectralConv2D(SpectrallyNormalized, Conv2D):
    """A `Conv2D` whose kernel is divided by its spectral norm."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return super().convolution_op(inputs, self.normalized_kernel())


class SpectralDense(SpectrallyNormalized, keras.layers.Dense):
    """`keras.layers.Dense` whose kernel is divided by its spectral norm."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        outputs = tf.matmul(inputs, self.normalized_kernel())
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


def normalized_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """The spectrally normalized layers of a network, nested ones too."""
    layers = network._flatten_layers(include_self=False)
    return [layer for layer in layers if hasattr(layer, "spectral_norm")]


def advance(network: keras.Model) -> None:
    """One power iteration for every spectrally normalized layer of a network."""
    for layer in normalized_layers(network):
        layer.spectral_norm.advance(layer.kernel)


def largest_sigma(network: keras.Model) -> tf.Tensor:
    """The largest σ(W) among a network's layers, a scalar; 0 where none is
    normalized.
    """
    sigmas = [
        layer.spectral_norm.sigma(layer.kernel) for layer in normalized_layers(network)
    ]
    return tf.reduce_max(tf.stack(sigmas)) if sigmas else tf.zeros([])
