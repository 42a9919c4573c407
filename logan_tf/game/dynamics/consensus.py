"""Consensus optimization: v + γ J'v (Mescheder, Nowozin, Geiger 2017, Alg. 1).

J'v is the gradient of ½‖v‖², so that besides its own loss every player brings down all
players' gradients. That pulls eigenvalues towards the left, and is no longer the
gradient of a player's own loss: a game that has a potential is changed too.
"""

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class Consensus(Dynamics):
    """Of any number of players, under any schedule.

    Args:
      weight: γ ≥ 0.

    Raises:
      ConfigurationError: for a negative weight.
    """

    evaluations = 2

    def __init__(self, weight: float = 1.0) -> None:
        if weight < 0:
            raise ConfigurationError(
                f"Consensus.weight must be 0 or more, not {weight}"
            )
        self.weight = weight

    def __call__(self, field: Field) -> Weights:
        """v + γ J'v, in which v has the players who stay where they are too."""
        v = field(players=tuple(field.weights))
        adjusted = weights.moved(v, field.transposed(v), self.weight)
        return {player: adjusted[player] for player in field.players}
