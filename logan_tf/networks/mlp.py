"""Multilayer perceptrons for two-dimensional data (Metz et al. 2016, App. A).

Unrolled GAN's ring of Gaussians: 256 latents, two hidden layers of 128 in the
generator, one in the discriminator, which first divides its input by 4; ReLU;
orthogonal kernels of gain .8. In mixed precision the first and the last layer compute
in the dtype of the variables: two coordinates have no digits to spare.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from logan_tf.layers.activations import relu
from logan_tf.layers.spectral_normalization import SpectralDense


class Generator(keras.Model):
    """Latents [batch, latent_dim] → points [batch, outputs].

    Args:
      latent_dim: length of a latent vector.
      hidden: width of each hidden layer.
      outputs: dimensions of the data.
    """

    def __init__(
        self,
        latent_dim: int = 256,
        hidden: Sequence[int] = (128, 128),
        outputs: int = 2,
    ) -> None:
        super().__init__(autocast=False)
        self.latent_dim = latent_dim
        self._hidden, self._output = _layers(self, keras.layers.Dense, hidden, outputs)

    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Labels are ignored; there is nothing that differs in training."""
        x = latents
        for layer in self._hidden:
            x = relu(layer(x))
        return self._output(x)


class Discriminator(keras.Model):
    """Points [batch, inputs] → scores [batch].

    Args:
      hidden: width of each hidden layer.
      inputs: dimensions of the data.
      input_scale: what the points are multiplied with first.
      spectral_normalization: of every kernel (not in the paper's network).
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128,),
        inputs: int = 2,
        input_scale: float = 0.25,
        spectral_normalization: bool = False,
    ) -> None:
        super().__init__(autocast=False)
        self.image_shape = (inputs,)
        self.input_scale = input_scale
        dense = SpectralDense if spectral_normalization else keras.layers.Dense
        self._hidden, self._score = _layers(self, dense, hidden, 1)

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels are ignored."""
        return tf.squeeze(self._score(self.features(images)), -1)

    def features(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The last hidden layer, [batch, units]."""
        x = images * self.input_scale
        for layer in self._hidden:
            x = relu(layer(x))
        return x


def _layers(
    network: keras.Model,
    dense: type[keras.layers.Dense],
    hidden: Sequence[int],
    outputs: int,
) -> tuple[list[keras.layers.Dense], keras.layers.Dense]:
    """The hidden layers and the last one."""
    exact = network.variable_dtype
    dtypes = [exact, *[network.dtype_policy] * (len(hidden) - 1), exact]
    layers = [
        dense(units, kernel_initializer=keras.initializers.Orthogonal(0.8), dtype=dtype)
        for units, dtype in zip([*hidden, outputs], dtypes, strict=False)
    ]
    return layers[:-1], layers[-1]
