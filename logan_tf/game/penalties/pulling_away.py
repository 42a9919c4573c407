"""The pulling-away term of EBGAN (Zhao et al. 2017, eq. 5): samples of a batch are to
have codes of different directions,

    λ / (N (N − 1)) Σ_{i ≠ j} cos²(h_i, h_j),        h_i = h(G(z'_i)).

With S the unit vectors of the codes, Σ_ij cos² = ‖S Sᵀ‖² = ‖Sᵀ S‖², and Sᵀ S is a sum
over samples, so that the term is that of the whole batch on any number of replicas.
"""

from collections.abc import Mapping

import keras
import tensorflow as tf

from logan_tf.errors import require_at_least
from logan_tf.game.penalties.penalty import Penalty, Sample, require_features
from logan_tf.game.replicas import summed
from logan_tf.game.weights import GENERATOR

_EPSILON = 1e-12  # of a squared norm: a code of zeros has no direction


class PullingAway(Penalty):
    """Of the generator's samples, over the batch of all replicas.

    Args:
      weight: λ ≥ 0; the paper takes 0.1.

    Raises:
      ConfigurationError: for a negative weight.
    """

    name = "pulling_away"
    player = GENERATOR
    needs_whole_batches = True

    def __init__(self, weight: float = 0.1) -> None:
        require_at_least(0, **{"PullingAway.weight": weight})
        self.weight = weight

    def build(
        self, networks: Mapping[str, keras.Model], shape: tuple[int, ...]
    ) -> None:
        """Raises ConfigurationError for a discriminator that shows no features."""
        require_features(self, networks)

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar, the same at every replica."""
        codes = sample.features(sample.fake, sample.fake_labels, sample.fake_draws)
        codes = tf.reshape(codes, (tf.shape(codes)[0], -1))
        squares = tf.reduce_sum(tf.square(codes), axis=1, keepdims=True)
        units = codes * tf.math.rsqrt(squares + _EPSILON)
        number = tf.cast(tf.shape(codes)[0], codes.dtype)
        products, number = summed([tf.matmul(units, units, transpose_a=True), number])
        others = tf.reduce_sum(tf.square(products)) - number
        return self.weight * others / (number * (number - 1))
