"""Feature matching (Salimans et al. 2016, §3.1): samples are to have the mean features
of the data,

    λ ‖E h(x) − E h(G(z'))‖²,        h what the discriminator scores.
"""

from collections.abc import Mapping

import keras
import tensorflow as tf

from logan_tf.errors import require_at_least
from logan_tf.game.penalties.penalty import Penalty, Sample, require_features
from logan_tf.game.replicas import per_replica, summed
from logan_tf.game.weights import GENERATOR


class FeatureMatching(Penalty):
    """Means are over the batch of all replicas, summed over features.

    In the paper it is the generator's whole loss; here a term of it.

    Args:
      weight: λ ≥ 0.

    Raises:
      ConfigurationError: for a negative weight.
    """

    name = "feature_matching"
    player = GENERATOR
    needs_whole_batches = True

    def __init__(self, weight: float = 1.0) -> None:
        require_at_least(0, **{"FeatureMatching.weight": weight})
        self.weight = weight

    def build(
        self, networks: Mapping[str, keras.Model], shape: tuple[int, ...]
    ) -> None:
        """Raises ConfigurationError for a discriminator that shows no features."""
        require_features(self, networks)

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar, the same at every replica."""
        pairs = (
            (sample.real, sample.labels, sample.real_draws),
            (sample.fake, sample.fake_labels, sample.fake_draws),
        )
        means = [tf.reduce_mean(sample.features(*each), axis=0) for each in pairs]
        real, fake = summed([per_replica(mean) for mean in means])
        return self.weight * tf.reduce_sum(tf.square(real - fake))
