"""Packing (PacGAN, Lin et al. 2018, arXiv:1712.04086): a discriminator judges m samples
at once, side by side in its channels, so that a lack of variety shows.

A sample's score is that of its pack. So samples of a batch are coupled: a latent step
goes along the gradient of the batch's summed score, in which a pack counts m times.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_at_least


class Discriminator(keras.Model):
    """Samples [batch, …, channels] → scores [batch], those of their packs.

    Packs are of consecutive samples; a last one that is not full is filled up with the
    batch's first samples.

    Args:
      network: makes the discriminator that judges packs, of `pack` times as many
        channels. It is called without labels.
      pack: m, 1 or more.

    Raises:
      ConfigurationError: for a number out of range, or a network of other channels.
    """

    def __init__(self, network: Callable[[], keras.Model], pack: int = 2) -> None:
        super().__init__()
        require_at_least(1, **{"packed.Discriminator.pack": pack})
        self._network = network()
        self.pack = pack
        if getattr(self._network, "num_classes", 0):
            raise ConfigurationError(
                "packed.Discriminator judges samples of several classes at once: give "
                "it a network without classes (num_classes = 0)"
            )
        shape = getattr(self._network, "image_shape", None)
        if shape is None:
            return
        if shape[-1] % pack:
            raise ConfigurationError(
                f"the discriminator takes {shape[-1]} channels, which are no packs of "
                f"{pack}: set its channels to {pack} times the images'"
            )
        self.image_shape = (*shape[:-1], shape[-1] // pack)

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels are ignored."""
        scores = self._network(self._packed(images))
        return tf.repeat(scores, self.pack)[: tf.shape(images)[0]]

    def _packed(self, images: tf.Tensor) -> tf.Tensor:
        """[batch, …, channels] → [packs, …, pack · channels]."""
        number = tf.shape(images)[0]
        packs = -(-number // self.pack)
        filled = tf.gather(images, tf.range(packs * self.pack) % number)
        sides = tf.split(
            tf.reshape(filled, (-1, self.pack, *images.shape[1:])), self.pack, axis=1
        )
        return tf.concat([tf.squeeze(side, 1) for side in sides], axis=-1)
