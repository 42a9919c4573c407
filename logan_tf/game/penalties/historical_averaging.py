"""Historical averaging (Salimans et al. 2016, §3.3), which fictitious play inspired,

    λ ‖θ − (θ_1 + … + θ_t) / t‖²,

θ_1 being the weights after the first update, θ_t the newest, and the mean a constant.
"""

from collections.abc import Mapping, Sequence

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
        """Makes room for the mean and the count."""
        variables = networks[self.player].trainable_variables
        own = [tf.convert_to_tensor(variable.value) for variable in variables]
        self._mean = Memory({self.player: own})
        self._variables = variables
        self._count = tf.Variable(0.0, trainable=False, name="history_count")
        self.variables = [*self._mean.variables, self._count]

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar, the same at every replica; 0 until there is a mean."""
        own = {self.player: sample.weights[self.player]}
        away = weights.moved(own, self._mean.read([self.player]), -1)
        cost = self.weight * weights.inner(away, away)
        return tf.where(self._count > 0, cost, tf.zeros_like(cost))

    def advance(self, players: Sequence[str], metrics: Mapping[str, tf.Tensor]) -> None:
        """Takes the newest weights into the mean."""
        if self.player not in players:
            return
        count = self._count + 1
        mean = self._mean.read([self.player])[self.player]
        pairs = zip(mean, self._variables, strict=True)
        newest = [
            old + (variable.value - old) / tf.cast(count, old.dtype)
            for old, variable in pairs
        ]
        self._mean.write({self.player: newest})
        self._count.assign(count)
