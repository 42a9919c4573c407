"""v(w) itself: every player follows the gradient of its own loss (LOGAN, eq. 3)."""

from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class Plain(Dynamics):
    """Gradient descent of each player, by its optimizer."""

    def __call__(self, field: Field) -> Weights:
        """v at the players' own weights."""
        return field()
