"""Batch normalization with gain and bias from a vector (Brock et al. 2018, App. B).

    y = (x − mean) / √(variance + ε) · (1 + W_g c) + W_b c

c is any vector of a sample: its class's embedding, a part of its latents, both. Without
the 1, a network whose kernels are divided by their spectral norm starts with gains
around 0 and does not train.

In mixed precision the projections compute in the dtype of the variables: a step Δz of
the latents that bfloat16 would round away is seen.
"""

from typing import Any

import keras
import tensorflow as tf

from logan_tf.layers.batch_normalization import Normalization
from logan_tf.layers.spectral_normalization import SpectralDense


class ConditionalBatchNormalization(Normalization):
    """Normalizes each channel (last axis), then scales and shifts it as c says.

    Args:
      epsilon: added to the variance.
      spectral_epsilon: of the projections' spectral norms; None to have none.
      kernel_initializer: of both projections, which have no biases.
    """

    def __init__(
        self,
        epsilon: float = 1e-4,
        spectral_epsilon: float | None = 1e-4,
        kernel_initializer: str = "orthogonal",
        **kwargs: Any,
    ) -> None:
        super().__init__(epsilon, autocast=False, **kwargs)
        self.spectral_epsilon = spectral_epsilon
        self.kernel_initializer = kernel_initializer

    def build(
        self,
        x_shape: tuple[int, ...],
        condition_shape: tuple[int, ...],
    ) -> None:
        channels = x_shape[-1]
        self.gain, self.bias = self._projection(channels), self._projection(channels)
        for projection in (self.gain, self.bias):
            projection.build(condition_shape)
        self.build_statistics(channels)

    def call(
        self, x: tf.Tensor, condition: tf.Tensor, training: bool = True
    ) -> tf.Tensor:
        """x [batch, …, channels], c [batch, k] → x's shape."""
        scale = self._for_positions(1 + self.gain(condition), x)
        offset = self._for_positions(self.bias(condition), x)
        return self.normalize(x, scale, offset, training)

    def _projection(self, channels: int) -> keras.layers.Dense:
        settings = {
            "use_bias": False,
            "kernel_initializer": self.kernel_initializer,
            "dtype": self.variable_dtype,
        }
        if self.spectral_epsilon is None:
            return keras.layers.Dense(channels, **settings)
        return SpectralDense(channels, epsilon=self.spectral_epsilon, **settings)

    def _for_positions(self, vectors: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """[batch, channels] → [batch, 1, …, channels]."""
        ones = [1] * (x.shape.rank - 2)
        return tf.reshape(vectors, [-1, *ones, vectors.shape[-1]])
