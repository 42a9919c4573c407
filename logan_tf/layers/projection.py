"""The projection discriminator's score (Miyato & Koyama 2018, eq. 3).

    score = w · h + b + ⟨e(y), h⟩,   h = the sum of the feature map over its positions

Both w and the table of embeddings e are divided by their spectral norms.

Difference from the paper: it averages in its public code's small networks and sums in
the large ones; BigGAN sums, and so do we everywhere.
"""

from typing import Any

import keras
import tensorflow as tf

from logan_tf.layers.embedding import SpectralEmbedding
from logan_tf.layers.spectral_normalization import SpectralDense


class ProjectionScore(keras.layers.Layer):
    """Features [batch, h, w, channels], labels int [batch] → scores [batch].

    Args:
      num_classes: 0 for a score that does not depend on labels.
      epsilon: of the spectral norms.
      kernel_initializer: of w and of the embeddings.
    """

    def __init__(
        self,
        num_classes: int,
        epsilon: float = 1e-4,
        kernel_initializer: str = "orthogonal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.epsilon = epsilon
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape: tuple[int, ...]) -> None:
        channels = input_shape[-1]
        settings = {
            "epsilon": self.epsilon,
            "kernel_initializer": self.kernel_initializer,
            "dtype": self.dtype_policy,
        }
        self.score = SpectralDense(1, **settings)
        self.score.build((None, channels))
        if self.num_classes:
            self.embedding = SpectralEmbedding(self.num_classes, channels, **settings)
            self.embedding.build((None,))

    def call(self, x: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels may be None where there are no classes."""
        features = tf.reduce_sum(x, [1, 2])
        scores = tf.squeeze(self.score(features), -1)
        if self.num_classes:
            scores += tf.reduce_sum(self.embedding(labels) * features, -1)
        return scores
