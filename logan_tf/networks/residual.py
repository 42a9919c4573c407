"""What the residual networks share: BigGAN-deep, BigGAN, SAGAN and SN-GAN's ResNet.

A generator is a dense layer to 4×4 positions, blocks that see a vector of conditions,
and a normalized convolution to the image; a discriminator is blocks and a score that
projects the label on the last features. Either may attend to one of its feature maps.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.activations import leaky_relu
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.embedding import Embedding
from logan_tf.layers.projection import ProjectionScore
from logan_tf.layers.rematerialization import rematerialized
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks.kernels import Kernels, Shape

FIRST_SIZE = 4


class ResidualGenerator(keras.Model):
    """Latents [batch, latent_dim], labels int [batch] → images [batch, h, w, channels]
    in [−1, 1], of the variables' dtype.

    A subclass says what the dense layer and the blocks see, in `conditions`. In mixed
    precision all that sees latents computes in the dtype of the variables.

    Args:
      latent_dim: length of a latent vector.
      channels: of the images.
      first: channels of the first feature map.
      blocks: each called as `block(x, condition, training=training)`.
      attention: that follows one block, or None.
      attended: the number of that block.
      embedding: numbers of classes and of features of the labels' embedding, or None.
      features: how many the dense layer sees, and how many a block's normalizations.
      kernels: of all that is no block.
      slope: of the leaky ReLU's negative part.
      epsilon: of the last batch normalization, which sees no condition.
      num_classes: 0 where labels do not matter.
      rematerialize: whether blocks are computed again instead of kept in memory; a
        number: up to derivatives of that order, instead of LOGAN's second.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        channels: int,
        first: int,
        blocks: Sequence[keras.layers.Layer],
        attention: SelfAttention | None,
        attended: int | None,
        embedding: tuple[int, int] | None,
        features: tuple[int, int],
        kernels: Kernels,
        slope: float,
        epsilon: float,
        num_classes: int,
        rematerialize: bool | int = False,
    ) -> None:
        super().__init__(autocast=False)
        self.rematerialize = rematerialize
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.conditional = num_classes > 0
        self.slope = slope
        self._first = first
        self._features = features
        exact = self.variable_dtype
        self._embedding = Embedding(*embedding, dtype=exact) if embedding else None
        self._project = kernels.dense(FIRST_SIZE**2 * first, exact)
        self._reshape = keras.layers.Reshape((FIRST_SIZE, FIRST_SIZE, first))
        self._blocks = list(blocks)
        self._attended = attended
        self._attention = attention
        self._normalize = BatchNormalization(epsilon)
        self._to_image = kernels.convolution(channels, 3)

    def build(self, latents_shape: Shape, labels_shape: Shape | None = None) -> None:
        """Makes all variables; Keras would trace the network to find them."""
        first, condition = ((None, features) for features in self._features)
        if self._embedding is not None:
            self._embedding.build((None,))
        self._project.build(first)
        channels = self._first
        for index, block in enumerate(self._blocks):
            block.build(_map_of(channels), condition)
            channels = block.channels
            if self._attention is not None and index == self._attended:
                self._attention.build(_map_of(channels))
        for layer in (self._normalize, self._to_image):
            layer.build(_map_of(channels))

    def conditions(
        self, latents: tf.Tensor, labels: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """What the dense layer sees, [batch, …], and what each block does."""
        raise NotImplementedError

    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Labels may be None where they do not matter."""
        latents = tf.cast(latents, self.variable_dtype)
        first, conditions = self.conditions(latents, labels)
        through = _passage(self.rematerialize if training else False)
        x = self._reshape(self._project(first))
        for index, block in enumerate(self._blocks):
            x = through(block, x, conditions[index], training=training)
            if self._attention is not None and index == self._attended:
                x = through(self._attention, x)
        x = leaky_relu(self._normalize(x, training=training), self.slope)
        return tf.tanh(tf.cast(self._to_image(x), self.variable_dtype))


class ResidualDiscriminator(keras.Model):
    """Images [batch, *image_shape] in [−1, 1], labels int [batch] → scores [batch], any
    real number, of the variables' dtype.

    Args:
      image_shape: (size, size, channels).
      layers: what the image passes, one after the other.
      num_classes: 0 for a score that does not depend on labels.
      spectral_epsilon: of the score's spectral norms.
      initializer: of the score's kernels.
      slope: of the last leaky ReLU's negative part.
      rematerialize: whether layers are computed again instead of kept in memory; a
        number: up to derivatives of that order, instead of LOGAN's second.
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int],
        layers: Sequence[keras.layers.Layer],
        num_classes: int,
        spectral_epsilon: float,
        initializer: str,
        slope: float,
        rematerialize: bool | int = False,
    ) -> None:
        super().__init__()
        self.rematerialize = rematerialize
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.slope = slope
        self._blocks = list(layers)
        self._score = ProjectionScore(
            num_classes, spectral_epsilon, initializer, dtype=self.variable_dtype
        )

    def build(self, images_shape: Shape, labels_shape: Shape | None = None) -> None:
        """Makes all variables; Keras would trace the network to find them."""
        shape = images_shape
        for layer in self._blocks:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self._score.build(shape)

    def call(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Labels may be None where they do not matter."""
        return self._score(self.features(images), labels)

    def features(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """What is summed over pixels and scored, [batch, height, width, channels]."""
        through, x = _passage(self.rematerialize), images
        for block in self._blocks:
            x = through(block, x)
        return leaky_relu(x, self.slope)


def _passage(rematerialize: bool | int) -> Callable[..., tf.Tensor]:
    """(layer, *inputs, **options) → what the layer makes of them."""
    if not rematerialize:
        return lambda layer, *inputs, **options: layer(*inputs, **options)
    if rematerialize is True:
        return rematerialized
    return partial(rematerialized, order=rematerialize)


def look_up(
    table: Mapping[int, Sequence[int]], image_size: int, width: int, network: str
) -> list[int]:
    """Channels before the first stage and after each, for images of a size.

    Raises:
      ConfigurationError: for sizes that are not in the table.
    """
    if image_size not in table:
        *sizes, last = map(str, table)
        raise ConfigurationError(
            f"{network} takes image sizes of {', '.join(sizes)} and {last}, not "
            f"{image_size}: choose another image_size"
        )
    return [width * multiple for multiple in table[image_size]]


def check_attention(size: int | None, sizes: Sequence[int]) -> None:
    """
    Raises:
      ConfigurationError: if no feature map has the size.
    """
    if size is not None and size not in sizes:
        known = ", ".join(map(str, sorted(set(sizes))))
        raise ConfigurationError(
            f"attention_size is that of a feature map: one of {known}, or None, not "
            f"{size}"
        )


def _map_of(channels: int) -> Shape:
    """The shape of a feature map of any size: layers are built for channels."""
    return (None, None, None, channels)
