"""Embeddings of class labels, as a product with one-hot vectors.

Their gradients are then plain tensors, which a game can add, send and take norms of; a
gather's are `IndexedSlices`, which differentiated twice end up dense anyway. The
product of a batch with a thousand classes is nothing beside a convolution.
"""

from typing import Any

import keras
import tensorflow as tf

from logan_tf.layers.spectral_normalization import SpectrallyNormalized


class Embedding(keras.layers.Layer):
    """Labels [batch], integers from 0 to num_classes − 1 → vectors [batch, features].

    Any other label's vector is 0.

    Args:
      num_classes: at least 1.
      features: length of a vector.
      kernel_initializer: of the table [num_classes, features].
    """

    def __init__(
        self,
        num_classes: int,
        features: int,
        kernel_initializer: str = "orthogonal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.features = features
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_classes, self.features),
            initializer=self.kernel_initializer,
        )

    def call(self, labels: tf.Tensor) -> tf.Tensor:
        return self.look_up(labels, self.kernel.value)

    def look_up(self, labels: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The rows [batch, features] of a kernel."""
        return tf.matmul(
            tf.one_hot(labels, self.num_classes, dtype=kernel.dtype), kernel
        )


class SpectralEmbedding(SpectrallyNormalized, Embedding):
    """`Embedding` whose table is divided by its spectral norm."""

    def call(self, labels: tf.Tensor) -> tf.Tensor:
        return self.look_up(labels, self.normalized_kernel())
