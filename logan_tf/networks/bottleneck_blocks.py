"""BigGAN-deep's residual blocks (Brock et al. 2018, App. B, Figure 16).

Four convolutions, 1×1, 3×3, 3×3, 1×1, the middle ones with a quarter of the channels.
Skip connections keep what they carry: a generator's block drops channels, a
discriminator's adds some.
"""

import keras
import tensorflow as tf

from logan_tf.layers.activations import leaky_relu
from logan_tf.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
)
from logan_tf.layers.resampling import average_pool, upsample
from logan_tf.networks.kernels import Kernels, Shape

BOTTLENECK = 4


class GeneratorBlock(keras.layers.Layer):
    """Feature map [batch, h, w, inputs], c [batch, k] → [batch, h', w', channels].

    Args:
      inputs: channels that come in, a multiple of 4.
      channels: that come out, at most as many; the skip connection keeps the first.
      doubling: whether h' = 2 h, w' = 2 w.
      kernels: of the convolutions and of the normalizations' projections.
      slope: of the leaky ReLUs' negative part.
      epsilon: of the normalizations.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        *,
        doubling: bool,
        kernels: Kernels,
        slope: float,
        epsilon: float,
    ) -> None:
        # A step of the latents, by which c moves, would be lost in bfloat16.
        super().__init__(autocast=False)
        self.channels = channels
        self.doubling = doubling
        self.slope = slope
        self._normalizations = [
            ConditionalBatchNormalization(
                epsilon, kernels.spectral_epsilon, kernels.initializer
            )
            for _ in range(4)
        ]
        self._convolutions = _convolutions(inputs // BOTTLENECK, channels, kernels)

    def build(self, x_shape: Shape, condition_shape: Shape) -> None:
        shapes = _build(self._convolutions, x_shape)
        for layer, shape in zip(self._normalizations, shapes, strict=True):
            layer.build(shape, condition_shape)

    def call(
        self, x: tf.Tensor, condition: tf.Tensor, training: bool = True
    ) -> tf.Tensor:
        y = x = tf.cast(x, self.compute_dtype)
        for index, (normalize, convolve) in enumerate(
            zip(self._normalizations, self._convolutions, strict=True)
        ):
            y = leaky_relu(normalize(y, condition, training=training), self.slope)
            if self.doubling and index == 1:
                y = upsample(y)
            y = convolve(y)
        kept = x[..., : self.channels]
        return y + (upsample(kept) if self.doubling else kept)


class DiscriminatorBlock(keras.layers.Layer):
    """Feature map [batch, h, w, inputs] → [batch, h', w', channels].

    Args:
      inputs: channels that come in.
      channels: that come out, at least as many, a multiple of 4; a 1×1 convolution of
        the skip connection makes those that it lacks.
      halving: whether h' = h / 2, w' = w / 2.
      kernels: of the convolutions.
      slope: of the leaky ReLUs' negative part.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        *,
        halving: bool,
        kernels: Kernels,
        slope: float,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.halving = halving
        self.slope = slope
        self._convolutions = _convolutions(channels // BOTTLENECK, channels, kernels)
        lacking = channels - inputs
        self._added = kernels.convolution(lacking, 1) if lacking else None

    def build(self, input_shape: Shape) -> None:
        _build(self._convolutions, input_shape)
        if self._added is not None:
            self._added.build(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *size, _ = input_shape
        if self.halving:
            size = [pixels // 2 for pixels in size]
        return (batch, *size, self.channels)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        *first, last = self._convolutions
        y = x
        for convolve in first:
            y = convolve(leaky_relu(y, self.slope))
        y = leaky_relu(y, self.slope)
        if self.halving:
            x, y = average_pool(x), average_pool(y)
        if self._added is not None:
            x = tf.concat([x, self._added(x)], -1)
        return x + last(y)


def _convolutions(
    narrow: int, channels: int, kernels: Kernels
) -> list[keras.layers.Conv2D]:
    sizes = ((narrow, 1), (narrow, 3), (narrow, 3), (channels, 1))
    return [kernels.convolution(*size) for size in sizes]


def _build(convolutions: list[keras.layers.Conv2D], shape: Shape) -> list[Shape]:
    """Builds them one after the other; the shapes that come in, whatever the size."""
    shapes = []
    for convolution in convolutions:
        convolution.build(shape)
        shapes.append(shape)
        shape = (*shape[:-1], convolution.filters)
    return shapes
