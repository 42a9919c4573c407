"""Strided convolutions with batch normalization: stacked MNIST's published networks.

The defaults are those of Metz et al. (2016, Unrolled GANs, App. D), whose discriminator
has a fourth or half of the generator's width. The recipe `stacked_mnist_veegan` has the
figures of VEEGAN's experiment (Srivastava et al. 2017), a DCGAN (Radford et al. 2015).
Both are as PacGAN's public code (Lin et al. 2018) has them. On 28×28×3 there are

| parameters | latents | generator | discriminator |
|---|---|---|---|
| Metz et al., width 2 (1/4) | 256 | 287,875 | 585 |
| Metz et al., width 4 (1/2) | 256 | 287,875 | 1,889 |
| VEEGAN | 100 | 4,514,819 | 4,310,401 |

Differences from the public code: samples are drawn by standing statistics, where Metz's
are by those of the batch. A discriminator with batch normalization judges a batch as a
whole, real and generated ones apart, so the latent's gradient is that of the batch's
summed score. In mixed precision the first and the last dense layer, the moments and the
tanh are of the variables' dtype.
"""

import itertools

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.activations import leaky_relu, relu
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.convolution import Conv2D

_DEVIATION = 0.02  # of kernels as they start


class Generator(keras.Model):
    """Latents [batch, latent_dim] → images [batch, size, size, channels] in [−1, 1].

    A dense layer, and transposed convolutions that double the side; each with batch
    normalization and ReLU.

    Args:
      image_size: halved so often as `halvings` says, rounded up.
      channels: of the images.
      width: of the largest feature map; each map of half the size has twice as many.
      latent_dim: length of a latent vector.
      kernel_size: of the convolutions.
      halvings: from the image down to the dense layer's map.
      last_convolution: whether the image is a convolution of a map of its own size, or
        the last transposed convolution's.
      epsilon: of batch normalization.

    Raises:
      ConfigurationError: for sizes that cannot be halved so often.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 3,
        width: int = 8,
        latent_dim: int = 256,
        kernel_size: int = 3,
        halvings: int = 3,
        last_convolution: bool = True,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__(autocast=False)
        self.latent_dim = latent_dim
        sizes = _sizes(image_size, halvings)[::-1]
        maps = halvings + last_convolution
        widths = [width * 2**power for power in reversed(range(maps))]
        start = (sizes[0], sizes[0], widths[0])
        self._project = keras.layers.Dense(
            sizes[0] ** 2 * widths[0],
            kernel_initializer=_initializer(),
            dtype=self.variable_dtype,
        )
        self._reshape = keras.layers.Reshape(start)
        outputs = [*widths[1:], *([] if last_convolution else [channels])]
        self._convolutions = [
            _transposed(filters, kernel_size, before, after)
            for filters, (before, after) in zip(
                outputs, itertools.pairwise(sizes), strict=True
            )
        ]
        if last_convolution:
            self._convolutions.append(_convolution(channels, kernel_size, strides=1))
        self._normalize = [BatchNormalization(epsilon) for _ in widths]

    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Labels are ignored: the network is not class-conditional."""
        x = self._reshape(self._project(latents))
        for normalize, convolution in zip(
            self._normalize, self._convolutions, strict=True
        ):
            x = convolution(relu(normalize(x, training=training)))
        return tf.tanh(tf.cast(x, self.variable_dtype))


class Discriminator(keras.Model):
    """Images [batch, size, size, channels] in [−1, 1] → scores [batch], any real
    number.

    Convolutions of stride 2, each with batch normalization and a leaky ReLU, and a
    dense layer.

    Args:
      image_size: as the generator's.
      channels: of the images.
      width: of the largest feature map; each map of half the size has twice as many.
      kernel_size: of the convolutions.
      halvings: how many convolutions there are.
      slope: of the leaky ReLUs' negative part.
      normalize_first: whether the first convolution is normalized too.
      epsilon: of batch normalization.

    Raises:
      ConfigurationError: for sizes that cannot be halved so often.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 3,
        width: int = 2,
        kernel_size: int = 3,
        halvings: int = 3,
        slope: float = 0.3,
        normalize_first: bool = True,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        _sizes(image_size, halvings)
        self.image_shape = (image_size, image_size, channels)
        self.slope = slope
        self._convolutions = [
            _convolution(width * 2**power, kernel_size, strides=2)
            for power in range(halvings)
        ]
        self._normalize = [
            BatchNormalization(epsilon) if power or normalize_first else None
            for power in range(halvings)
        ]
        self._flatten = keras.layers.Flatten()
        self._score = keras.layers.Dense(
            1, kernel_initializer=_initializer(), dtype=self.variable_dtype
        )

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels are ignored: the network is not class-conditional."""
        return tf.squeeze(self._score(self._flatten(self.features(images))), -1)

    def features(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """What is flattened and scored, [batch, height, width, channels]."""
        x = images
        for convolution, normalize in zip(
            self._convolutions, self._normalize, strict=True
        ):
            x = convolution(x)
            x = leaky_relu(normalize(x) if normalize else x, self.slope)
        return x


def _sizes(image_size: int, halvings: int) -> list[int]:
    """The sides of the feature maps, from the image's downwards, rounded up."""
    sizes = [image_size]
    for _ in range(halvings):
        sizes.append(-(-sizes[-1] // 2))
    if sizes[-1] < 2:
        raise ConfigurationError(
            f"images of {image_size} pixels cannot be halved {halvings} times: 2 have "
            "to be left; lower dcgan's halvings"
        )
    return sizes


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=_DEVIATION)


def _convolution(filters: int, kernel_size: int, strides: int) -> Conv2D:
    return Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        kernel_initializer=_initializer(),
    )


def _transposed(
    filters: int, kernel_size: int, before: int, after: int
) -> keras.layers.Conv2DTranspose:
    """From `before` to `after` pixels, twice as many or one less."""
    return keras.layers.Conv2DTranspose(
        filters,
        kernel_size,
        strides=2,
        padding="same",
        # An odd side, of which half is rounded up.
        output_padding=0 if after < 2 * before else None,
        kernel_initializer=_initializer(),
    )
