"""Historical averaging (Salimans et al. 2016, §3.3), which fictitious play inspired,

    λ ‖θ − (θ_1 + … + θ_t) / t‖²,

θ_1 being the first weights, and the mean a constant that each use moves on.
"""

from collections.abc import Mapping

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.game import weights
from logan_tf.game.dynamics.memory import Memory
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.weights import DISCRIMINATOR, PLAYERS


class HistoricalAveraging(Penalty):
    """Of one player's weights; for both, take two. The mean is part of a run's state.

    Args:
      weight: λ ≥ 0.
      player: whose weights.

    Raises:
      ConfigurationError: for a negative weight or an unknown player.
    """

    def __init__(self, weight: float = 1.0, player: str = DISCRIMINATOR) -> None:
        require_at_least(0, **{"HistoricalAveraging.weight": weight})
        if player not in PLAYERS:
            raise ConfigurationError(
                f"HistoricalAveraging.player is one of {', '.join(PLAYERS)}, not "
                f"{player!r}"
            )
        self.weight = weight
        self.player = player
        self.name = f"{player}_history"

    def build(
        self, networks: Mapping[str, keras.Model], shape: tuple[int, ...]
    ) -> None:
        """The mean is that of the weights as they are."""
        variables = networks[self.player].trainable_variables
        own = [tf.convert_to_tensor(variable.value) for variable in variables]
        self._mean = Memory({self.player: own})
        self._mean.write({self.player: own})
        self._count = tf.Variable(1.0, trainable=False, name="history_count")
        self.variables = [*self._mean.variables, self._count]

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar, the same at every replica; 0 at first."""
        own = {self.player: sample.weights[self.player]}
        mean = self._mean.read([self.player])
        away = weights.moved(own, mean, -1)
        cost = self.weight * weights.inner(away, away)
        count = self._count + 1
        share = tf.stop_gradient(1 / count)
        with tf.control_dependencies([cost]):
            self._mean.write(
                tf.nest.map_structure(
                    lambda old, far: old + tf.cast(share, old.dtype) * far, mean, away
                )
            )
            self._count.assign(count)
        return cost
