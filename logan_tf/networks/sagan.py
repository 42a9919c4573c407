"""SAGAN (Zhang et al. 2019): self-attention, and spectral norms in both networks.

The baseline SAGAN of LOGAN's Figure 12 at 128×128, width 64: SN-GAN's projection
ResNet, attending to its 32×32 feature maps; where a discriminator's block changes the
channels, its first convolution does. Batch normalizations have a gain and a bias for
each class, without spectral norms.

Differences from the paper and its authors' public code:
- 64×64 and 32×32 follow SN-GAN's ResNet (attention there by `attention_size`);
- the score's embeddings start Glorot-uniform as all other kernels.
"""

from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks.basic_blocks import discriminator_layers
from logan_tf.networks.categorical import DISCRIMINATOR, CategoricalGenerator
from logan_tf.networks.kernels import Kernels
from logan_tf.networks.residual import ResidualDiscriminator, look_up

_INITIALIZER = "glorot_uniform"


class Generator(CategoricalGenerator):
    """Latents [batch, latent_dim], labels int [batch] → images [batch, size, size,
    channels] in [−1, 1].

    Args:
      image_size: 32, 64 or 128.
      channels: of the images.
      width: the tables' ch.
      latent_dim: length of a latent vector.
      num_classes: 0 for a generator without classes; it ignores labels.
      slope: of the leaky ReLUs' negative part, from 0 (the paper's) to 1.
      attention_size: the size of the feature map that attends to itself; None for none.
      attention_samples: how many samples have the weights of their attention in memory
        at a time; None for all, which are kept (`layers.attention`).
      epsilon: of the batch normalizations.
      spectral_epsilon: of the spectral norms.

    Raises:
      ConfigurationError: for sizes without a table.
    """

    def __init__(
        self,
        image_size: int = 128,
        channels: int = 3,
        width: int = 64,
        latent_dim: int = 128,
        num_classes: int = 1000,
        slope: float = 0.0,
        attention_size: int | None = 32,
        attention_samples: int | None = None,
        epsilon: float = 1e-5,
        spectral_epsilon: float = 1e-6,
    ) -> None:
        super().__init__(
            "sagan",
            image_size=image_size,
            channels=channels,
            width=width,
            latent_dim=latent_dim,
            num_classes=num_classes,
            kernels=Kernels(_INITIALIZER, spectral_epsilon),
            slope=slope,
            attention=_attention(attention_size, attention_samples, spectral_epsilon),
            epsilon=epsilon,
        )


class Discriminator(ResidualDiscriminator):
    """Images [batch, size, size, channels] in [−1, 1], labels int [batch] → scores
    [batch], any real number.

    Args:
      image_size: 32, 64 or 128.
      channels: of the images.
      width: the tables' ch.
      num_classes: 0 for a discriminator without classes; it ignores labels.
      slope: of the leaky ReLUs' negative part, from 0 (the paper's) to 1.
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
        width: int = 64,
        num_classes: int = 1000,
        slope: float = 0.0,
        attention_size: int | None = 32,
        attention_samples: int | None = None,
        spectral_epsilon: float = 1e-6,
    ) -> None:
        image_shape = (image_size, image_size, channels)
        super().__init__(
            image_shape=image_shape,
            layers=discriminator_layers(
                image_shape,
                look_up(DISCRIMINATOR, image_size, width, "sagan"),
                Kernels(_INITIALIZER, spectral_epsilon),
                slope,
                _attention(attention_size, attention_samples, spectral_epsilon),
            ),
            num_classes=num_classes,
            spectral_epsilon=spectral_epsilon,
            initializer=_INITIALIZER,
            slope=slope,
        )


def _attention(
    size: int | None, at_a_time: int | None, epsilon: float
) -> tuple[int, SelfAttention] | None:
    return (size, SelfAttention(epsilon, _INITIALIZER, at_a_time)) if size else None
