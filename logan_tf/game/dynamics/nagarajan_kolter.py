"""Nagarajan & Kolter 2017: the generator also brings down D's gradient,

    v_G + ζ ∇_G ‖v_D‖² = v_G + 2ζ J_DG' v_D,

which makes equilibria stable where D alone has curvature, or none has any. In a
zero-sum game it is the generator's part of symplectic gradient adjustment, λ = 2ζ.
"""

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import GENERATOR, Weights


class NagarajanKolter(Dynamics):
    """Of two players and more, under any schedule.

    Args:
      weight: ζ ≥ 0; the paper's is 0.5.
      player: who is adjusted; ‖v_j‖² is summed over all others.

    Raises:
      ConfigurationError: for a negative weight.
    """

    evaluations = 2

    def __init__(self, weight: float = 0.5, player: str = GENERATOR) -> None:
        if weight < 0:
            raise ConfigurationError(
                f"NagarajanKolter.weight must be 0 or more, not {weight}"
            )
        self.weight = weight
        self.player = player

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Refuses an unknown player; keeps nothing."""
        if self.player not in weights:
            raise ConfigurationError(
                f"NagarajanKolter.player is {self.player!r}: the players are "
                f"{' and '.join(weights)}"
            )

    def __call__(self, field: Field) -> Weights:
        """v, adjusted for one player; where that one stays it is v."""
        if self.player not in field.players:
            return field()
        v = field(players=tuple(field.weights))
        others = {player: v[player] for player in v if player != self.player}
        gradient = {self.player: field.transposed(others)[self.player]}
        adjusted = weights.moved(v, gradient, 2 * self.weight)
        return {player: adjusted[player] for player in field.players}
