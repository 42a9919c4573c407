"""A discriminator that compares the samples of a batch (Salimans et al. 2016, §3.2):
how near a sample's features h are to those of the others,

    o_b(x_i) = Σ_{j ≠ i} exp(−‖M_ib − M_jb‖₁),        M_i = T h(x_i).

What it finds in another network's features joins these before the last layer; since
that one is linear, its share of the score is added.

Samples of a batch are coupled: a latent step goes along the gradient of the batch's
summed score.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.layers import replication


class MinibatchDiscrimination(keras.layers.Layer):
    """Features [batch, n] → nearness [batch, kernels], of the batch of all replicas.

    Memory grows with batch² · kernels · dims.

    Args:
      kernels: B, how many of these sums.
      dims: C, of each M_ib.
    """

    def __init__(self, kernels: int = 50, dims: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernels, self.dims = kernels, dims

    def build(self, input_shape: tuple[int, ...]) -> None:
        shape = (input_shape[-1], self.kernels * self.dims)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer="glorot_normal"
        )

    def call(self, features: tf.Tensor) -> tf.Tensor:
        own = tf.matmul(features, self.kernel)
        own = tf.reshape(own, (-1, self.kernels, self.dims))
        everybodys = replication.gathered(own)
        distances = tf.reduce_sum(tf.abs(own[:, None] - everybodys[None]), axis=-1)
        # One of the terms is the sample's own, exp(0).
        return tf.reduce_sum(tf.exp(-distances), axis=1) - 1


class Discriminator(keras.Model):
    """Samples [batch, …] → scores [batch].

    Args:
      network: makes a discriminator with `features(images, labels)`.
      kernels: how many kinds of nearness, 1 or more.
      dims: of the space of each, 1 or more.

    Raises:
      ConfigurationError: for a number out of range, or a network that shows no
        features.
    """

    def __init__(
        self, network: Callable[[], keras.Model], kernels: int = 50, dims: int = 5
    ) -> None:
        super().__init__()
        require_at_least(1, kernels=kernels, dims=dims)
        self._network = network()
        if not hasattr(self._network, "features"):
            raise ConfigurationError(
                "minibatch.Discriminator needs a network with a method features(images,"
                f" labels), which {type(self._network).__name__} has not: take another"
            )
        self._nearness = MinibatchDiscrimination(kernels, dims)
        self._share = keras.layers.Dense(1, use_bias=False)
        for name in ("image_shape", "num_classes"):
            if hasattr(self._network, name):
                setattr(self, name, getattr(self._network, name))

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels are the network's."""
        features = self.features(images, labels)
        flat = tf.reshape(features, (tf.shape(features)[0], -1))
        flat = tf.ensure_shape(flat, (None, features.shape[1:].num_elements()))
        share = tf.squeeze(self._share(self._nearness(flat)), -1)
        scores = self._network(images, labels)
        return scores + tf.cast(share, scores.dtype)

    def features(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The network's own."""
        return self._network.features(images, labels)
