"""Self-attention on feature maps (Zhang et al. 2019), as BigGAN uses it.

    y = x + γ · W_o (softmax(θ φᵀ) g)

θ, φ and g are 1×1 convolutions of x to C/8, C/8 and C/2 channels; φ and g are halved by
2×2 max-pooling, so that each of h·w positions attends to h·w/4. γ, a scalar, starts at
0: the layer starts as the identity. No biases; every kernel is divided by its spectral
norm.

Differences from the paper: it has g of C/8 channels and no pooling (its public code
has C/2 and pools).
"""

from typing import Any

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.attention import attend
from logan_tf.layers.resampling import max_pool
from logan_tf.layers.spectral_normalization import SpectralConv2D


class SelfAttention(keras.layers.Layer):
    """[batch, h, w, channels] → the same shape; h and w even, channels a multiple of 8.

    Args:
      epsilon: of the spectral norms.
      kernel_initializer: of the four convolutions.
      at_a_time: how many samples have their weights in memory at a time; None: all
        (`layers.attention`).

    Raises:
      ConfigurationError: at the first call, for other numbers of channels.
    """

    def __init__(
        self,
        epsilon: float = 1e-4,
        kernel_initializer: str = "orthogonal",
        at_a_time: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.kernel_initializer = kernel_initializer
        self.at_a_time = at_a_time

    def build(self, input_shape: tuple[int, ...]) -> None:
        channels = input_shape[-1]
        if channels % 8:
            raise ConfigurationError(
                "self-attention needs a multiple of 8 channels, not "
                f"{channels}: choose another width or no attention"
            )
        self.theta = self._convolution(channels // 8)
        self.phi = self._convolution(channels // 8)
        self.g = self._convolution(channels // 2)
        self.o = self._convolution(channels)
        for convolution in (self.theta, self.phi, self.g):
            convolution.build(input_shape)
        self.o.build((*input_shape[:-1], channels // 2))
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def call(self, x: tf.Tensor) -> tf.Tensor:
        height, width, channels = x.shape[1:]
        theta = _positions(self.theta(x))
        phi = _positions(max_pool(self.phi(x)))
        g = _positions(max_pool(self.g(x)))
        # A softmax over a thousand positions is no work for eight bits of precision.
        attended = attend(
            theta, phi, g, tf.as_dtype(self.variable_dtype), self.at_a_time
        )
        attended = tf.reshape(attended, [-1, height, width, channels // 2])
        return x + self.gamma.value * self.o(attended)

    def _convolution(self, channels: int) -> SpectralConv2D:
        return SpectralConv2D(
            channels,
            1,
            use_bias=False,
            kernel_initializer=self.kernel_initializer,
            epsilon=self.epsilon,
            dtype=self.dtype_policy,
        )


def _positions(x: tf.Tensor) -> tf.Tensor:
    """[batch, h, w, channels] → [batch, h · w, channels]."""
    _, height, width, channels = x.shape
    return tf.reshape(x, [-1, height * width, channels])
