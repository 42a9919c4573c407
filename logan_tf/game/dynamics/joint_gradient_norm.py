"""Descent of ½‖v‖², the joint gradient's norm: J'v (Mescheder et al. 2017).

Whatever is a zero of v attracts it, a maximum of a player's loss as well as a minimum:
the false fixed points for which consensus optimization adds v.
"""

from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class JointGradientNorm(Dynamics):
    """Of any number of players, under any schedule. A negative example."""

    evaluations = 2

    def __call__(self, field: Field) -> Weights:
        """J'v, in which v has the players who stay where they are too."""
        adjustment = field.transposed(field(players=tuple(field.weights)))
        return {player: adjustment[player] for player in field.players}
