"""SN-GAN for small images (Miyato et al. 2018, Table 3), as CS-GAN and LOGAN used it.

The generator has batch normalization and no spectral normalization, the discriminator
the reverse. At 32×32, width 64 and 128 latents they have 3,812,355 and 2,935,873
parameters.

Differences from the table:
- any image of 4 to 7 pixels times a power of two, halved until 4 to 7 are left (the
  paper's M_g: 4 for 32, 6 for 48); each halving doubles the width;
- the score is one logit, where CS-GAN's public code has two (`num_logits`);
- kernels start from a truncated normal of σ = 1/√fan_in (before truncation) as in
  CS-GAN.

In mixed precision what meets latents and scores, the first and the last dense layer,
computes in the dtype of the variables, and so does the tanh: a step Δz that bfloat16
would round away is seen, and images and scores have that dtype.
"""

import math

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.activations import leaky_relu, relu
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.convolution import Conv2D
from logan_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense


class Generator(keras.Model):
    """Latents [batch, latent_dim] → images [batch, size, size, channels] in [−1, 1].

    Args:
      image_size: 4, 5, 6 or 7 times 2, 4, 8, 16, …: 16, 28, 32, 48 and 64, say.
      channels: of the images.
      width: of the largest feature map; each map of half the size has twice as many.
      latent_dim: length of a latent vector.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        width: int = 64,
        latent_dim: int = 128,
    ) -> None:
        super().__init__(autocast=False)
        self.latent_dim = latent_dim
        widths = widths_of(image_size, width)
        size = image_size >> len(widths)
        channels_in = 2 * widths[-1]
        start = (size, size, channels_in)
        self._project = keras.layers.Dense(
            math.prod(start),
            kernel_initializer=_initializer(latent_dim),
            dtype=self.variable_dtype,
        )
        self._reshape = keras.layers.Reshape(start)
        self._upsample, self._normalize = [], []
        for channels_out in reversed(widths):
            initializer = _initializer(4 * 4 * channels_in)
            self._upsample.append(
                keras.layers.Conv2DTranspose(
                    channels_out,
                    kernel_size=4,
                    strides=2,
                    padding="same",
                    kernel_initializer=initializer,
                )
            )
            self._normalize.append(BatchNormalization())
            channels_in = channels_out
        self._to_image = Conv2D(
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
        return tf.tanh(tf.cast(self._to_image(x), self.variable_dtype))


class Discriminator(keras.Model):
    """Images [batch, size, size, channels] in [−1, 1] → scores [batch], any real
    number.

    Args:
      image_size: as the generator's.
      channels: of the images.
      width: of the largest feature map; each map of half the size has twice as many.
      slope: of the leaky ReLUs' negative part.
      num_logits: 1, or 2 of which the score is the second less the first: the logistic
        losses of that are the softmax cross-entropy of the two.

    Raises:
      ConfigurationError: for sizes that are not in the table, other numbers of logits.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        width: int = 64,
        slope: float = 0.1,
        num_logits: int = 1,
    ) -> None:
        super().__init__()
        widths = widths_of(image_size, width)
        if num_logits not in (1, 2):
            raise ConfigurationError(
                f"sngan.Discriminator.num_logits is 1 or 2, not {num_logits}"
            )
        self.image_shape = (image_size, image_size, channels)
        self.slope = slope
        self._convolutions, channels_in = [], channels
        for channels_out in widths:
            self._convolutions += [
                _convolution(channels_in, channels_out, kernel_size=3, stride=1),
                _convolution(channels_out, channels_out, kernel_size=4, stride=2),
            ]
            channels_in = channels_out
        channels_out = 2 * channels_in
        self._convolutions.append(
            _convolution(channels_in, channels_out, kernel_size=3, stride=1)
        )
        self._flatten = keras.layers.Flatten()
        features = (image_size >> len(widths)) ** 2 * channels_out
        self._score = SpectralDense(
            num_logits,
            kernel_initializer=_initializer(features),
            dtype=self.variable_dtype,
        )

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels are ignored: the network is not class-conditional."""
        logits = self._score(self._flatten(self.features(images)))
        if logits.shape[-1] == 1:
            return tf.squeeze(logits, -1)
        return logits[:, 1] - logits[:, 0]

    def features(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """What is flattened and scored, [batch, height, width, channels]."""
        x = images
        for convolution in self._convolutions:
            x = leaky_relu(convolution(x), self.slope)
        return x


def widths_of(image_size: int, width: int) -> list[int]:
    """The width of each feature map that is halved, from the image's size downwards."""
    widths: list[int] = []
    size = image_size
    while size > 7 and size % 2 == 0:
        widths.append(width * 2 ** len(widths))
        size //= 2
    if not widths or not 4 <= size <= 7:
        raise ConfigurationError(
            "sngan takes image sizes that are 4 to 7 times a power of two (16, 28, 32, "
            f"48, 64, …), not {image_size}: choose another image_size"
        )
    return widths


def _initializer(fan_in: int) -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=1 / math.sqrt(fan_in))


def _convolution(
    inputs: int, outputs: int, *, kernel_size: int, stride: int
) -> SpectralConv2D:
    return SpectralConv2D(
        outputs,
        kernel_size,
        strides=stride,
        padding="same",
        kernel_initializer=_initializer(kernel_size**2 * inputs),
    )
