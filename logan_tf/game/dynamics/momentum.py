"""Momentum of any sign: ω_{t+1} = ω_t − ηv(ω_t) + β(ω_t − ω_{t−1}) (Polyak 1964).

Negative momentum (Gidel et al. 2019): with simultaneous updates the bilinear game
diverges for every β, with alternating ones it converges for β < 0 and small steps.
Keras's SGD takes no negative one; as here, its rate is to stay the same. Negative
momentum of Adam is its beta_1.
"""

from collections.abc import Mapping

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.dynamics.memory import Memory
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class Momentum(Dynamics):
    """Of any number of players, under any schedule.

    Args:
      beta: β in (−1, 1) of all players, or one of each by name; 0 where it has none.

    Raises:
      ConfigurationError: for a β out of range, or of an unknown player.
    """

    def __init__(self, beta: float | dict[str, float] = -0.5) -> None:
        values = beta.values() if isinstance(beta, Mapping) else [beta]
        if not all(-1 < value < 1 for value in values):
            raise ConfigurationError(f"Momentum.beta must be in (−1, 1), not {beta}")
        self.beta = beta

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Makes room for m."""
        unknown = set(self.beta if isinstance(self.beta, Mapping) else ()) - set(
            weights
        )
        if unknown:
            raise ConfigurationError(
                f"Momentum.beta names {min(unknown)!r}: the players are "
                f"{' and '.join(weights)}"
            )
        self._sum = Memory(weights)
        self.variables = self._sum.variables

    def __call__(self, field: Field) -> Weights:
        """m ← v + βm, of the players who are updated."""
        beta = self.beta
        if isinstance(beta, Mapping):
            beta = dict.fromkeys(field.players, 0.0) | beta
        moved = weights.moved(field(), self._sum.read(field.players), beta)
        self._sum.write(moved)
        return moved
