"""Symplectic gradient adjustment: v + λ A'v (LOGAN, eq. 7; Balduzzi et al. 2018).

A = ½(J − J') is what rotates in a game, A'v = ½(J'v − Jv). In a zero-sum game without
curvature of a player's own it is consensus optimization with γ = λ; a potential game,
whose A is 0, is left as it is. Aligned (Balduzzi et al., Alg. 1), λ has the sign of

    ⟨v, J'v⟩ ⟨A'v, J'v⟩ / d + 0.1,        d the number of all weights,

so that the adjustment is drawn to stable fixed points and pushed off unstable ones.
"""

import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights

_TILT = 0.1  # ε of Alg. 1: where the game is neutral λ is positive.


class SymplecticGradientAdjustment(Dynamics):
    """Of any number of players; under any schedule unless it is aligned.

    Args:
      weight: λ ≥ 0.
      align: whether the sign of λ follows the alignment.

    Raises:
      ConfigurationError: for a negative weight.
    """

    evaluations = 3

    def __init__(self, weight: float = 1.0, align: bool = False) -> None:
        if weight < 0:
            raise ConfigurationError(
                f"SymplecticGradientAdjustment.weight must be 0 or more, not {weight}"
            )
        self.weight = weight
        self.align = align
        self.needs_all_players = align

    def __call__(self, field: Field) -> Weights:
        """v + λ A'v, in which v has the players who stay where they are too."""
        v = field(players=tuple(field.weights))
        transposed, along = field.transposed(v), field.along(v)
        adjustment = {
            player: [(a - b) / 2 for a, b in zip(transposed[player], rows, strict=True)]
            for player, rows in along.items()
        }
        if self.align:
            sign = _alignment(v, transposed, adjustment)
            adjustment = {
                player: [sign * x for x in tensors]
                for player, tensors in adjustment.items()
            }
        return weights.moved(
            {player: v[player] for player in adjustment}, adjustment, self.weight
        )


def _alignment(v: Weights, gradient: Weights, adjustment: Weights) -> tf.Tensor:
    """±1, given J'v, the gradient of ½‖v‖², and A'v."""
    size = sum(tf.size(x, v[p][0].dtype) for p in v for x in v[p])
    towards = weights.inner(v, gradient) * weights.inner(adjustment, gradient)
    return tf.sign(towards / size + _TILT)
