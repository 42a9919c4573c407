"""The generator of SN-GAN's ResNet and SAGAN: a gain and a bias for each class.

Latents make the first feature map and nothing else; the class chooses the gains and
biases of the blocks' batch normalizations from tables, which start at 1 and 0.
"""

import tensorflow as tf

from logan_tf.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
)
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks.basic_blocks import GeneratorBlock
from logan_tf.networks.kernels import Kernels
from logan_tf.networks.residual import (
    FIRST_SIZE,
    ResidualGenerator,
    check_attention,
    look_up,
)

# Channels, in units of `width`: of the generator before the first block and after each,
# of the discriminator after each.
GENERATOR = {
    32: (4, 4, 4, 4),
    64: (16, 8, 4, 2, 1),
    128: (16, 16, 8, 4, 2, 1),
}
DISCRIMINATOR = {
    32: (2, 2, 2, 2),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
}


class CategoricalGenerator(ResidualGenerator):
    """Latents [batch, latent_dim], labels int [batch] → images [batch, size, size,
    channels] in [−1, 1].

    Args:
      network: whose it is, for messages.
      image_size: 32, 64 or 128.
      channels: of the images.
      width: the tables' ch.
      latent_dim: length of a latent vector.
      num_classes: 0 for a generator without classes; it ignores labels.
      kernels: of convolutions and the dense layer.
      slope: of the leaky ReLUs' negative part.
      attention: the size of the feature map that attends to itself, and how.
      epsilon: of the batch normalizations.

    Raises:
      ConfigurationError: for sizes without a table.
    """

    def __init__(
        self,
        network: str,
        *,
        image_size: int,
        channels: int,
        width: int,
        latent_dim: int,
        num_classes: int,
        kernels: Kernels,
        slope: float,
        attention: tuple[int, SelfAttention] | None,
        epsilon: float,
    ) -> None:
        first, *stages = look_up(GENERATOR, image_size, width, network)
        sizes = [FIRST_SIZE << stage for stage in range(1, len(stages) + 1)]
        size, layer = attention or (None, None)
        check_attention(size, sizes)
        # Without classes all samples are of one.
        classes = max(num_classes, 1)
        super().__init__(
            latent_dim=latent_dim,
            channels=channels,
            first=first,
            blocks=[
                GeneratorBlock(
                    outputs,
                    lambda: ConditionalBatchNormalization(epsilon, None, "zeros"),
                    kernels,
                    slope,
                )
                for outputs in stages
            ],
            attention=layer,
            attended=sizes.index(size) if size else None,
            embedding=None,
            features=(latent_dim, classes),
            kernels=kernels,
            slope=slope,
            epsilon=epsilon,
            num_classes=num_classes,
        )
        self._num_classes = classes

    def conditions(
        self, latents: tf.Tensor, labels: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The latents; for each block the class's one-hot vector."""
        if self.conditional:
            classes = tf.one_hot(labels, self._num_classes, dtype=latents.dtype)
        else:
            classes = tf.ones_like(latents[:, :1])
        return latents, [classes] * len(self._blocks)
