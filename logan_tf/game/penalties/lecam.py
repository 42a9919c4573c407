"""LeCam regularization for little data (Tseng et al. 2021, eq. 7):

    λ (E(D(x) − m_fake)² + E(D(G(z')) − m_real)²),

m moving averages of D's mean scores: m ← d m + (1 − d) E D, after D's updates.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.replicas import per_replica, summed
from logan_tf.game.weights import DISCRIMINATOR


class LeCam(Penalty):
    """Its averages are part of a run's state, and constants to both players.

    Args:
      weight: λ ≥ 0.
      decay: d in [0, 1).
      clipped: whether D(x) − m_fake and m_real − D(G(z')) count only where they are
        positive, as in the authors' code.

    Raises:
      ConfigurationError: for a number out of range.
    """

    name = "lecam"
    player = DISCRIMINATOR
    needs_whole_batches = True

    def __init__(
        self, weight: float = 0.3, decay: float = 0.99, clipped: bool = False
    ) -> None:
        require_at_least(0, **{"LeCam.weight": weight})
        if not 0 <= decay < 1:
            raise ConfigurationError(f"LeCam.decay must be in [0, 1), not {decay}")
        self.weight = weight
        self.decay = decay
        self.clipped = clipped
        self._real = tf.Variable(0.0, trainable=False, name="lecam_real")
        self._fake = tf.Variable(0.0, trainable=False, name="lecam_fake")
        self.variables = [self._real, self._fake]

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar."""
        real, fake = sample.real_scores, sample.fake_scores
        above = real - tf.cast(self._fake, real.dtype)
        below = tf.cast(self._real, fake.dtype) - fake
        if self.clipped:
            above, below = tf.nn.relu(above), tf.nn.relu(below)
        cost = tf.reduce_mean(tf.square(above)) + tf.reduce_mean(tf.square(below))
        return self.weight * cost

    def advance(self, players: Sequence[str], metrics: Mapping[str, tf.Tensor]) -> None:
        """By the mean scores of all replicas; only the discriminator's updates do."""
        if DISCRIMINATOR not in players:
            return
        scores = [metrics["real_score"], metrics["fake_score"]]
        means = summed([per_replica(score) for score in scores])
        for average, mean in zip(self.variables, means, strict=True):
            newest = tf.cast(mean, average.dtype)
            average.assign(self.decay * average + (1 - self.decay) * newest)
