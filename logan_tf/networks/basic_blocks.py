"""Residual blocks of two 3×3 convolutions: those of BigGAN, SAGAN and SN-GAN's ResNet.

Activations come before convolutions, a generator's conditional batch normalizations
before these.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from logan_tf.layers.activations import leaky_relu
from logan_tf.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
)
from logan_tf.layers.resampling import average_pool, upsample
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks.kernels import Kernels, Shape
from logan_tf.networks.residual import check_attention


class GeneratorBlock(keras.layers.Layer):
    """Feature map [batch, h, w, inputs], c [batch, k] → [batch, 2 h, 2 w, channels].

    Two 3×3 convolutions, and a 1×1 convolution around them (before it is doubled, which
    commutes and is cheaper).

    Args:
      channels: that come out.
      normalization: makes one of the two conditional batch normalizations.
      kernels: of the convolutions.
      slope: of the leaky ReLUs' negative part.
    """

    def __init__(
        self,
        channels: int,
        normalization: Callable[[], ConditionalBatchNormalization],
        kernels: Kernels,
        slope: float,
    ) -> None:
        # A step of the latents, by which c moves, would be lost in bfloat16.
        super().__init__(autocast=False)
        self.channels = channels
        self.slope = slope
        self._normalizations = [normalization(), normalization()]
        self._convolutions = [kernels.convolution(channels, 3) for _ in range(2)]
        self._shortcut = kernels.convolution(channels, 1)

    def build(self, x_shape: Shape, condition_shape: Shape) -> None:
        between = (*x_shape[:-1], self.channels)
        for layer in (self._convolutions[0], self._shortcut):
            layer.build(x_shape)
        self._convolutions[1].build(between)
        for layer, shape in zip(self._normalizations, (x_shape, between), strict=True):
            layer.build(shape, condition_shape)

    def call(
        self, x: tf.Tensor, condition: tf.Tensor, training: bool = True
    ) -> tf.Tensor:
        (normalize, normalize_again), (convolve, convolve_again) = (
            self._normalizations,
            self._convolutions,
        )
        x = tf.cast(x, self.compute_dtype)
        y = leaky_relu(normalize(x, condition, training=training), self.slope)
        y = convolve(upsample(y))
        y = leaky_relu(normalize_again(y, condition, training=training), self.slope)
        return convolve_again(y) + upsample(self._shortcut(x))


class DiscriminatorBlock(keras.layers.Layer):
    """Feature map [batch, h, w, inputs] → [batch, h', w', channels].

    Two 3×3 convolutions, and around them a 1×1 convolution where the size or the number
    of channels changes (after the feature map is halved, which commutes and is
    cheaper).

    Args:
      inputs: channels that come in.
      channels: that come out.
      hidden: channels between the two convolutions.
      halving: whether h' = h / 2, w' = w / 2.
      activate: whether an activation comes first; not of images.
      kernels: of the convolutions.
      slope: of the leaky ReLUs' negative part.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        hidden: int,
        *,
        halving: bool,
        activate: bool,
        kernels: Kernels,
        slope: float,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.halving = halving
        self.activate = activate
        self.slope = slope
        self._convolutions = [
            kernels.convolution(hidden, 3),
            kernels.convolution(channels, 3),
        ]
        changes = halving or inputs != channels
        self._shortcut = kernels.convolution(channels, 1) if changes else None

    def build(self, input_shape: Shape) -> None:
        first, second = self._convolutions
        first.build(input_shape)
        second.build((*input_shape[:-1], first.filters))
        if self._shortcut is not None:
            self._shortcut.build(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *size, _ = input_shape
        if self.halving:
            size = [pixels // 2 for pixels in size]
        return (batch, *size, self.channels)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        first, second = self._convolutions
        y = first(leaky_relu(x, self.slope) if self.activate else x)
        y = second(leaky_relu(y, self.slope))
        if self.halving:
            x, y = average_pool(x), average_pool(y)
        return y + (x if self._shortcut is None else self._shortcut(x))


def discriminator_layers(
    image_shape: tuple[int, int, int],
    channels: Sequence[int],
    kernels: Kernels,
    slope: float,
    attention: tuple[int, SelfAttention] | None = None,
    wide: bool = True,
) -> list[keras.layers.Layer]:
    """A discriminator's blocks, which halve the image down to 4×4 positions, or to 8×8
    from 32×32 on downwards; blocks that are left then keep the size.

    Args:
      image_shape: (size, size, channels).
      channels: that come out of each block.
      kernels: of the convolutions.
      slope: of the leaky ReLUs' negative part.
      attention: the size of the feature map that attends to itself, and how.
      wide: whether a block's first convolution makes all its channels; otherwise it
        keeps their number, except for the image's.

    Raises:
      ConfigurationError: if no feature map has the size that is to attend to itself.
    """
    size, _, inputs = image_shape
    last_size = 8 if size <= 32 else 4
    sizes = [max(size >> (i + 1), last_size) for i in range(len(channels))]
    check_attention(attention[0] if attention else None, sizes)
    layers: list[keras.layers.Layer] = []
    for outputs, next_size in zip(channels, sizes, strict=True):
        image = not layers
        halving = next_size < size
        block = DiscriminatorBlock(
            inputs,
            outputs,
            outputs if wide or image else inputs,
            halving=halving,
            activate=not image,
            kernels=kernels,
            slope=slope,
        )
        layers.append(block)
        if attention is not None and halving and next_size == attention[0]:
            layers.append(attention[1])
        inputs, size = outputs, next_size
    return layers
