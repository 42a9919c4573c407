"""Zero-centred gradient penalties (Mescheder, Geiger, Nowozin 2018, eq. 9 and 10):

    R1 = γ/2 E‖∇D(x)‖²,        R2 = γ/2 E‖∇D(G(z'))‖².

On the Dirac-GAN R1 alone has the eigenvalues −γ/2 ± √(γ²/4 − ¼), both together
−γ ± √(γ² − ¼). With the relativistic loss they are R3GAN's recipe (Huang et al. 2024).
"""

import tensorflow as tf

from logan_tf.errors import require_at_least
from logan_tf.game.penalties import slopes
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.weights import DISCRIMINATOR


class R1(Penalty):
    """At real images.

    Args:
      weight: γ ≥ 0.

    Raises:
      ConfigurationError: for a negative weight.
    """

    name = "r1"
    player = DISCRIMINATOR

    def __init__(self, weight: float = 10.0) -> None:
        require_at_least(0, **{f"{type(self).__name__}.weight": weight})
        self.weight = weight

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar."""
        squares = slopes.squared_norms(
            sample, sample.real, sample.labels, sample.real_draws
        )
        return self.weight / 2 * tf.reduce_mean(squares)


class R2(R1):
    """At generated images; its derivative passes through z' too."""

    name = "r2"

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar."""
        squares = slopes.squared_norms(
            sample, sample.fake, sample.fake_labels, sample.fake_draws
        )
        return self.weight / 2 * tf.reduce_mean(squares)
