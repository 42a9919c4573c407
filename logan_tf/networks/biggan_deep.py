"""BigGAN-deep (Brock et al. 2018, App. B, Tables 7 and 8), the networks of LOGAN.

At 128×128, width 128 and 1,000 classes the generator has 50,244,484 parameters with 128
latents and 59,714,436 with LOGAN's 256, the discriminator 34,590,210.

Both are stages of two bottleneck blocks; in the generator the last block of a stage
doubles the size and changes the channels, in the discriminator the first one halves
and changes.

Differences from the tables:
- 32×32 and 64×64, which the paper has not, follow its authors' public code, and 16×16,
  for small data, continues it; at 16×16 and 32×32 the discriminator's last feature map
  has 8×8 positions;
- the generator's last convolution makes the image's channels and no more (the public
  code makes `width` of them and takes the first three);
- `slope`: 0 is the paper's ReLU, .2 is LOGAN's;
- without classes (`num_classes=0`) there are no embeddings, and the generator's
  normalizations see the latents alone.
"""

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks.bottleneck_blocks import (
    BOTTLENECK,
    DiscriminatorBlock,
    GeneratorBlock,
)
from logan_tf.networks.kernels import Kernels
from logan_tf.networks.residual import (
    FIRST_SIZE,
    ResidualDiscriminator,
    ResidualGenerator,
    check_attention,
    look_up,
)

# Channels, in units of `width`, before the first stage and after each. BigGAN has the
# same ones.
GENERATOR = {
    16: (4, 4, 4),
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
DISCRIMINATOR = {
    16: (4, 4, 4),
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}


class Generator(ResidualGenerator):
    """Latents [batch, latent_dim], labels int [batch] → images [batch, size, size,
    channels] in [−1, 1].

    Args:
      image_size: 16, 32, 64, 128 or 256.
      channels: of the images.
      width: the tables' ch; a multiple of 4.
      latent_dim: length of a latent vector.
      num_classes: 0 for a generator without classes; it ignores labels.
      embedding_dim: length of a class's embedding.
      slope: of the leaky ReLUs' negative part, from 0 to 1.
      attention_size: the size of the feature map that attends to itself; None for none.
      attention_samples: how many samples have the weights of their attention in memory
        at a time; None for all, which are kept (`layers.attention`).
      blocks_per_stage: the depth; the last block of a stage doubles the size.
      epsilon: of the batch normalizations.
      spectral_epsilon: of the spectral norms.
      rematerialize: whether blocks are computed again instead of kept: less memory,
        more time (`layers.rematerialization`). A number: up to derivatives of that
        order; True is 2, dynamics that differentiate the field take 3.

    Raises:
      ConfigurationError: for sizes without a table, widths that cannot be divided.
    """

    def __init__(
        self,
        image_size: int = 128,
        channels: int = 3,
        width: int = 128,
        latent_dim: int = 128,
        num_classes: int = 1000,
        embedding_dim: int = 128,
        slope: float = 0.0,
        attention_size: int | None = 64,
        attention_samples: int | None = None,
        blocks_per_stage: int = 2,
        epsilon: float = 1e-4,
        spectral_epsilon: float = 1e-4,
        rematerialize: bool | int = False,
    ) -> None:
        _check(width, blocks_per_stage)
        kernels = Kernels("orthogonal", spectral_epsilon)
        first, *stages = look_up(GENERATOR, image_size, width, "biggan_deep")
        blocks: list[keras.layers.Layer] = []
        sizes, inputs = [], first
        for stage, outputs in enumerate(stages):
            for index in range(blocks_per_stage):
                last = index == blocks_per_stage - 1
                block = GeneratorBlock(
                    inputs,
                    outputs if last else inputs,
                    doubling=last,
                    kernels=kernels,
                    slope=slope,
                    epsilon=epsilon,
                )
                blocks.append(block)
                sizes.append(FIRST_SIZE << (stage + last))
            inputs = outputs
        check_attention(attention_size, sizes)
        condition = latent_dim + (embedding_dim if num_classes else 0)
        super().__init__(
            latent_dim=latent_dim,
            channels=channels,
            first=first,
            blocks=blocks,
            attention=SelfAttention(spectral_epsilon, at_a_time=attention_samples)
            if attention_size
            else None,
            attended=sizes.index(attention_size) if attention_size else None,
            embedding=(num_classes, embedding_dim) if num_classes else None,
            features=(condition, condition),
            kernels=kernels,
            slope=slope,
            epsilon=epsilon,
            num_classes=num_classes,
            rematerialize=rematerialize,
        )

    def conditions(
        self, latents: tf.Tensor, labels: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """All see all latents and the class's embedding."""
        seen = latents
        if self._embedding is not None:
            seen = tf.concat([latents, self._embedding(labels)], -1)
        return seen, [seen] * len(self._blocks)


class Discriminator(ResidualDiscriminator):
    """Images [batch, size, size, channels] in [−1, 1], labels int [batch] → scores
    [batch], any real number.

    Args:
      image_size: as the generator's.
      channels: of the images.
      width: the tables' ch; a multiple of 4.
      num_classes: 0 for a discriminator without classes; it ignores labels.
      slope: of the leaky ReLUs' negative part, from 0 to 1.
      attention_size: the size of the feature map that attends to itself; None for none.
      attention_samples: how many samples have the weights of their attention in memory
        at a time; None for all, which are kept (`layers.attention`).
      blocks_per_stage: the depth; the first block of a stage halves the size.
      spectral_epsilon: of the spectral norms.
      rematerialize: whether blocks are computed again instead of kept: less memory,
        more time (`layers.rematerialization`). A number: up to derivatives of that
        order; True is 2, dynamics that differentiate the field take 3.

    Raises:
      ConfigurationError: as the generator.
    """

    def __init__(
        self,
        image_size: int = 128,
        channels: int = 3,
        width: int = 128,
        num_classes: int = 1000,
        slope: float = 0.0,
        attention_size: int | None = 64,
        attention_samples: int | None = None,
        blocks_per_stage: int = 2,
        spectral_epsilon: float = 1e-4,
        rematerialize: bool | int = False,
    ) -> None:
        _check(width, blocks_per_stage)
        kernels = Kernels("orthogonal", spectral_epsilon)
        inputs, *stages = look_up(DISCRIMINATOR, image_size, width, "biggan_deep")
        last_size = 8 if image_size <= 32 else 4
        sizes = [max(image_size >> (i + 1), last_size) for i in range(len(stages))]
        check_attention(attention_size, sizes)
        layers: list[keras.layers.Layer] = [kernels.convolution(inputs, 3)]
        before = image_size
        for outputs, size in zip(stages, sizes, strict=True):
            for index in range(blocks_per_stage):
                block = DiscriminatorBlock(
                    outputs if index else inputs,
                    outputs,
                    halving=index == 0 and size < before,
                    kernels=kernels,
                    slope=slope,
                )
                layers.append(block)
            if size == attention_size and size < before:
                layers.append(
                    SelfAttention(spectral_epsilon, at_a_time=attention_samples)
                )
            inputs, before = outputs, size
        super().__init__(
            image_shape=(image_size, image_size, channels),
            layers=layers,
            num_classes=num_classes,
            spectral_epsilon=spectral_epsilon,
            initializer=kernels.initializer,
            slope=slope,
            rematerialize=rematerialize,
        )


def _check(width: int, blocks_per_stage: int) -> None:
    if width < 1 or width % BOTTLENECK:
        raise ConfigurationError(
            f"biggan_deep takes a width that is a multiple of {BOTTLENECK}, not {width}"
        )
    if blocks_per_stage < 1:
        raise ConfigurationError(
            f"biggan_deep's blocks_per_stage must be 1 or more, not {blocks_per_stage}"
        )
