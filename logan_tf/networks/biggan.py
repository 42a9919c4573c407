"""BigGAN (Brock et al. 2018, App. B, Tables 4 and 5), the elder of the two.

At 128×128, width 96, 120 latents and 1,000 classes the generator has 70,433,988
parameters, the discriminator 87,982,370.

The latents are cut into chunks of equal length: the first makes the first feature map,
each other conditions one block, together with the class's embedding.

Differences from the tables:
- 32×32 and 64×64, which the paper has not, follow its authors' public code, and 16×16
  continues it;
- a discriminator's block that changes neither the size nor the channels has the
  identity for a skip connection, where another public code has none;
- `slope`: 0 is the paper's ReLU;
- without classes (`num_classes=0`) a generator's block sees its chunk alone.
"""

import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
)
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks.basic_blocks import GeneratorBlock, discriminator_layers
from logan_tf.networks.biggan_deep import DISCRIMINATOR, GENERATOR
from logan_tf.networks.kernels import Kernels
from logan_tf.networks.residual import (
    FIRST_SIZE,
    ResidualDiscriminator,
    ResidualGenerator,
    check_attention,
    look_up,
)


class Generator(ResidualGenerator):
    """Latents [batch, latent_dim], labels int [batch] → images [batch, size, size,
    channels] in [−1, 1].

    Args:
      image_size: 16, 32, 64, 128 or 256.
      channels: of the images.
      width: the tables' ch.
      latent_dim: length of a latent vector, a multiple of the number of chunks: 3, 4,
        5, 6, 7 for the five sizes.
      num_classes: 0 for a generator without classes; it ignores labels.
      embedding_dim: length of a class's embedding.
      slope: of the leaky ReLUs' negative part, from 0 to 1.
      attention_size: the size of the feature map that attends to itself; None for none.
      attention_samples: how many samples have the weights of their attention in memory
        at a time; None for all, which are kept (`layers.attention`).
      epsilon: of the batch normalizations.
      spectral_epsilon: of the spectral norms.

    Raises:
      ConfigurationError: for sizes without a table, latents that cannot be divided.
    """

    def __init__(
        self,
        image_size: int = 128,
        channels: int = 3,
        width: int = 96,
        latent_dim: int = 120,
        num_classes: int = 1000,
        embedding_dim: int = 128,
        slope: float = 0.0,
        attention_size: int | None = 64,
        attention_samples: int | None = None,
        epsilon: float = 1e-4,
        spectral_epsilon: float = 1e-4,
    ) -> None:
        first, *stages = look_up(GENERATOR, image_size, width, "biggan")
        sizes = [FIRST_SIZE << stage for stage in range(1, len(stages) + 1)]
        check_attention(attention_size, sizes)
        chunk, rest = divmod(latent_dim, len(stages) + 1)
        if rest or not chunk:
            raise ConfigurationError(
                f"biggan cuts the latents into {len(stages) + 1} chunks at image_size "
                f"{image_size}: latent_dim must be a multiple of that, not "
                f"{latent_dim}"
            )
        kernels = Kernels("orthogonal", spectral_epsilon)
        super().__init__(
            latent_dim=latent_dim,
            channels=channels,
            first=first,
            blocks=[
                GeneratorBlock(
                    outputs,
                    lambda: ConditionalBatchNormalization(epsilon, spectral_epsilon),
                    kernels,
                    slope,
                )
                for outputs in stages
            ],
            attention=SelfAttention(spectral_epsilon, at_a_time=attention_samples)
            if attention_size
            else None,
            attended=sizes.index(attention_size) if attention_size else None,
            embedding=(num_classes, embedding_dim) if num_classes else None,
            features=(chunk, chunk + (embedding_dim if num_classes else 0)),
            kernels=kernels,
            slope=slope,
            epsilon=epsilon,
            num_classes=num_classes,
        )

    def conditions(
        self, latents: tf.Tensor, labels: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The first chunk; each other chunk, with the class's embedding."""
        first, *chunks = tf.split(latents, len(self._blocks) + 1, axis=-1)
        if self._embedding is None:
            return first, chunks
        embedded = self._embedding(labels)
        return first, [tf.concat([chunk, embedded], -1) for chunk in chunks]


class Discriminator(ResidualDiscriminator):
    """Images [batch, size, size, channels] in [−1, 1], labels int [batch] → scores
    [batch], any real number.

    Args:
      image_size: as the generator's.
      channels: of the images.
      width: the tables' ch.
      num_classes: 0 for a discriminator without classes; it ignores labels.
      slope: of the leaky ReLUs' negative part, from 0 to 1.
      attention_size: the size of the feature map that attends to itself; None for none.
      attention_samples: how many samples have the weights of their attention in memory
        at a time; None for all, which are kept (`layers.attention`).
      spectral_epsilon: of the spectral norms.

    Raises:
      ConfigurationError: for sizes without a table.
    """

    def __init__(
        self,
        image_size: int = 128,
        channels: int = 3,
        width: int = 96,
        num_classes: int = 1000,
        slope: float = 0.0,
        attention_size: int | None = 64,
        attention_samples: int | None = None,
        spectral_epsilon: float = 1e-4,
    ) -> None:
        image_shape = (image_size, image_size, channels)
        kernels = Kernels("orthogonal", spectral_epsilon)
        super().__init__(
            image_shape=image_shape,
            layers=discriminator_layers(
                image_shape,
                look_up(DISCRIMINATOR, image_size, width, "biggan"),
                kernels,
                slope,
                (
                    attention_size,
                    SelfAttention(spectral_epsilon, at_a_time=attention_samples),
                )
                if attention_size
                else None,
            ),
            num_classes=num_classes,
            spectral_epsilon=spectral_epsilon,
            initializer=kernels.initializer,
            slope=slope,
        )
