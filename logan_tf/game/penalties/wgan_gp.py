"""WGAN-GP (Gulrajani et al. 2017, eq. 3): slopes of one between real and generated,

λ E(‖∇D(x̂)‖ − 1)²,        x̂ = ε x + (1 − ε) G(z'),   ε ~ U(0, 1) for each pair.
"""

import tensorflow as tf

from logan_tf.errors import require_at_least
from logan_tf.game import noise
from logan_tf.game.penalties import slopes
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.weights import DISCRIMINATOR


class WganGp(Penalty):
    """Of pairs by index; x̂ has the real image's label and draws.

    Args:
      weight: λ ≥ 0; the paper's is 10.
      one_sided: whether only slopes above one cost something (their §4).

    Raises:
      ConfigurationError: for a negative weight.
    """

    name = "wgan_gp"
    player = DISCRIMINATOR

    def __init__(self, weight: float = 10.0, one_sided: bool = False) -> None:
        require_at_least(0, **{"WganGp.weight": weight})
        self.weight = weight
        self.one_sided = one_sided

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar; its derivative passes through G(z') too."""
        singles = (1,) * (sample.real.shape.rank - 1)
        share = tf.cast(noise.uniform(sample.latents, singles), sample.real.dtype)
        fake = tf.cast(sample.fake, sample.real.dtype)
        between = share * sample.real + (1 - share) * fake
        squares = slopes.squared_norms(
            sample, between, sample.labels, sample.real_draws
        )
        excess = slopes.norms(squares) - 1
        if self.one_sided:
            excess = tf.nn.relu(excess)
        return self.weight * tf.reduce_mean(tf.square(excess))
