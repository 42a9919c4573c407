"""Energy-based GAN (Zhao et al. 2017, arXiv:1609.03126): a margin between energies.

    L_D = E(x) + max(0, m − E(G(z')))                        their eq. 1
    L_G = E(G(z'))                                           eq. 2

The discriminator is an autoencoder, and E its reconstruction error. A score here is −E,
so that the latent step climbs to where the discriminator sees less energy.
"""

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_above
from logan_tf.game.objectives import Losses, require_scores


class EnergyMargin:
    """An objective of scores that are energies with the other sign.

    Args:
      margin: m > 0, in units of the energy. The paper takes some tens where errors are
        summed over an image; `autoencoder.Discriminator` takes their mean, which is at
        most 4 for pictures in [−1, 1].

    Raises:
      ConfigurationError: for a margin of 0 or less.
    """

    def __init__(self, margin: float = 0.5) -> None:
        require_above(0, **{"EnergyMargin.margin": margin})
        self.margin = margin

    def __call__(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
        """Means over scores [batch] of real and generated samples, both ≤ 0."""
        require_scores(real_logits, fake_logits)
        fake_energy = -tf.reduce_mean(fake_logits)
        missing = tf.nn.relu(self.margin + fake_logits)
        return Losses(
            discriminator=tf.reduce_mean(missing) - tf.reduce_mean(real_logits),
            generator=fake_energy,
        )

    def require(self, discriminator: keras.Model) -> None:
        """Raises ConfigurationError for scores that are no energies."""
        if not getattr(discriminator, "scores_are_energies", False):
            raise ConfigurationError(
                "EnergyMargin needs a discriminator that is an autoencoder, which "
                f"{type(discriminator).__name__} is not: take "
                "Experiment.discriminator = @autoencoder.Discriminator, or another "
                "objective"
            )
