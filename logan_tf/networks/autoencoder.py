"""A discriminator that is an autoencoder, as energy-based GANs have it.

Zhao et al. 2017, App. C, for pictures: an encoder of convolutions 4×4 of stride 2, a
decoder that mirrors it. The score is −E, the energy E the mean squared error of the
reconstruction. Differences: no batch normalization, which would couple the energies of
a batch; the map is halved as in `sngan`, so any of its sizes goes.
"""

import keras
import tensorflow as tf

from logan_tf.layers.activations import leaky_relu
from logan_tf.networks.sngan import widths_of


class Discriminator(keras.Model):
    """Images [batch, size, size, channels] in [−1, 1] → scores [batch], at most 0.

    Args:
      image_size: 4, 5, 6 or 7 times 2, 4, 8, 16, …
      channels: of the images.
      width: of the largest feature map; each map of half the size has twice as many.
      slope: of the leaky ReLUs' negative part.

    Attributes:
      scores_are_energies: True, of the other sign.

    Raises:
      ConfigurationError: for other sizes.
    """

    scores_are_energies = True

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        width: int = 64,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        widths = widths_of(image_size, width)
        self.image_shape = (image_size, image_size, channels)
        self.slope = slope
        arguments = {"kernel_size": 4, "strides": 2, "padding": "same"}
        self._encoder = [keras.layers.Conv2D(each, **arguments) for each in widths]
        outputs = [*reversed(widths[:-1]), channels]
        self._decoder = [
            keras.layers.Conv2DTranspose(each, **arguments) for each in outputs
        ]

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels are ignored: the network is not class-conditional."""
        x = self.features(images)
        for number, layer in enumerate(self._decoder):
            x = layer(leaky_relu(x, self.slope) if number else x)
        error = tf.cast(x, self.variable_dtype) - tf.cast(images, self.variable_dtype)
        return -tf.reduce_mean(tf.square(error), axis=(1, 2, 3))

    def features(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The code, [batch, height, width, channels]."""
        x = images
        for layer in self._encoder:
            x = leaky_relu(layer(x), self.slope)
        return x
