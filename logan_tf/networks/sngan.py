"""SN-GAN for small images (Miyato et al. 2018, Table 3), as CS-GAN and LOGAN used it.

The generator has batch normalization and no spectral normalization, the discriminator
the reverse. At 32×32, width 64 and 128 latents they have 3,812,355 and 2,935,873
parameters.

Differences from the table:
- the smallest feature map is a third halving of the image, rounded up (4 for 32 and 28,
  2 for 16, 8 for 64), where the paper has M_g = 4 and 6 for its two sizes;
- the score is one logit, where CS-GAN's public code has two;
- kernels start from a truncated normal of σ = 1/√fan_in (before truncation) as in
  CS-GAN.
"""

import math

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.activations import leaky_relu, relu
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense

SMALLEST, LARGEST = 16, 64


class Generator(keras.Model):
    """Latents [batch, latent_dim] → images [batch, size, size, channels] in [−1, 1].

    Args:
      image_size: 16 to 64.
      channels: of the images.
      width: of the last hidden feature map; the others are 2, 4 and 8 times as wide.
      latent_dim: length of a latent vector.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        width: int = 64,
        latent_dim: int = 128,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        sizes = _feature_map_sizes(image_size)
        start = (sizes[-1], sizes[-1], 8 * width)
        self._project = keras.layers.Dense(
            math.prod(start), kernel_initializer=_initializer(latent_dim)
        )
        self._reshape = keras.layers.Reshape(start)
        self._upsample, self._normalize = [], []
        for index, factor in ((2, 4), (1, 2), (0, 1)):
            self._upsample.append(
                keras.layers.Conv2DTranspose(
                    factor * width,
                    kernel_size=4,
                    strides=2,
                    padding="same",
                    # The kernel's overhang decides between an even and an odd size.
                    output_padding=1 if sizes[index] % 2 else None,
                    kernel_initializer=_initializer(4 * 4 * 2 * factor * width),
                )
            )
            self._normalize.append(BatchNormalization())
        self._to_image = keras.layers.Conv2D(
            channels, 3, padding="same", kernel_initializer=_initializer(9 * width)
        )

    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Labels are ignored: the network is not class-conditional."""
        x = self._reshape(self._project(latents))
        for upsample, normalize in zip(self._upsample, self._normalize, strict=True):
            x = relu(normalize(upsample(x), training=training))
        return tf.tanh(self._to_image(x))


class Discriminator(keras.Model):
    """Images [batch, size, size, channels] in [−1, 1] → scores [batch], any real
    number.

    Args:
      image_size: 16 to 64.
      channels: of the images.
      width: of the first feature map; the last is 8 times as wide.
      slope: of the leaky ReLUs' negative part.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        width: int = 64,
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        _feature_map_sizes(image_size)
        self.image_shape = (image_size, image_size, channels)
        self.slope = slope
        self._convolutions, inputs = [], channels
        for factor in (1, 2, 4):
            self._convolutions += [
                _spectral_convolution(inputs, factor * width, kernel_size=3, stride=1),
                _spectral_convolution(
                    factor * width, factor * width, kernel_size=4, stride=2
                ),
            ]
            inputs = factor * width
            # Each pair widens as it begins, not as it halves the map.
        self._convolutions.append(
            _spectral_convolution(inputs, 8 * width, kernel_size=3, stride=1)
        )
        self._flatten = keras.layers.Flatten()
        features = _feature_map_sizes(image_size)[-1] ** 2 * 8 * width
        self._score = SpectralDense(1, kernel_initializer=_initializer(features))

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels are ignored: the network is not class-conditional."""
        x = images
        for convolution in self._convolutions:
            x = leaky_relu(convolution(x), self.slope)
        return tf.squeeze(self._score(self._flatten(x)), -1)


def _feature_map_sizes(image_size: int) -> list[int]:
    """The image's size and those after each of three halvings, rounded up."""
    if not SMALLEST <= image_size <= LARGEST:
        raise ConfigurationError(
            f"sngan takes images of {SMALLEST} to {LARGEST} pixels a side, not "
            f"{image_size}: choose another image_size"
        )
    sizes = [image_size]
    for _ in range(3):
        sizes.append(math.ceil(sizes[-1] / 2))
    return sizes


def _initializer(fan_in: int) -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=1 / math.sqrt(fan_in))


def _spectral_convolution(
    inputs: int, outputs: int, *, kernel_size: int, stride: int
) -> SpectralConv2D:
    return SpectralConv2D(
        outputs,
        kernel_size,
        strides=stride,
        padding="same",
        kernel_initializer=_initializer(kernel_size**2 * inputs),
    )
