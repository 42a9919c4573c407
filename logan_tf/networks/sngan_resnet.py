"""SN-GAN's ResNet with a projection discriminator (Miyato & Koyama 2018, App. D).

The baseline SN-GAN of LOGAN's Figure 12 at 128×128, width 64. The discriminator is
spectrally normalized and the generator is not; its batch normalizations have a gain and
a bias for each class.

Differences from the paper and its authors' public code:
- 64×64 and 32×32 (Miyato et al. 2018, Table 4) have the projection and the sum over
  positions too;
- every kernel starts Glorot-uniform of gain 1, where theirs within blocks have √2: what
  follows them is normalized, by the batch or by σ;
- the running averages of batch normalization are standing statistics.
"""

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
      epsilon: of the batch normalizations.

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
        epsilon: float = 2e-5,
    ) -> None:
        super().__init__(
            "sngan_resnet",
            image_size=image_size,
            channels=channels,
            width=width,
            latent_dim=latent_dim,
            num_classes=num_classes,
            kernels=Kernels(_INITIALIZER, None),
            slope=slope,
            attention=None,
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
        spectral_epsilon: float = 1e-6,
    ) -> None:
        image_shape = (image_size, image_size, channels)
        super().__init__(
            image_shape=image_shape,
            layers=discriminator_layers(
                image_shape,
                look_up(DISCRIMINATOR, image_size, width, "sngan_resnet"),
                Kernels(_INITIALIZER, spectral_epsilon),
                slope,
                wide=False,
            ),
            num_classes=num_classes,
            spectral_epsilon=spectral_epsilon,
            initializer=_INITIALIZER,
            slope=slope,
        )
