"""Competitive gradient descent (Schäfer & Anandkumar 2019, eq. 4; CGD).

Each player's step is its part in the Nash equilibrium of the game that is bilinear
around where they are. With N the Jacobian without its diagonal blocks the players get

    u of (I + ηN) u = v,

for two of them u_x = (I − η² J_xy J_yx)⁻¹ (v_x − ηJ_xy v_y) and its mirror image.
The source solves that by conjugate gradients, for which its matrix has to be symmetric:
in a zero-sum game. Here they solve (I + ηN)'(I + ηN) u = (I + ηN)'v, which in a
zero-sum game has the same matrix, and is right in every other one too.
"""

from collections.abc import Callable

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.conjugate_gradients import solved
from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.dynamics.memory import Memory
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class CompetitiveGradientDescent(Dynamics):
    """Of n ≥ 2 players, all at once; u is a gradient to their optimizers.

    Args:
      rate: η > 0, of all players; with SGD, its learning rate.
      iterations: of conjugate gradients, 1 or more; each is 2n products with J.
      tolerance: ≥ 0, of the residual relative to the right side, where they stop.
      warm_start: whether they begin at the u of the update before.

    Raises:
      ConfigurationError: for an argument out of its range.
    """

    needs_all_players = True

    def __init__(
        self,
        rate: float = 1e-3,
        iterations: int = 3,
        tolerance: float = 1e-6,
        warm_start: bool = True,
    ) -> None:
        if rate <= 0 or iterations < 1 or tolerance < 0:
            raise ConfigurationError(
                "CompetitiveGradientDescent.rate must be above 0, iterations 1 or more "
                f"and tolerance 0 or more, not {rate}, {iterations} and {tolerance}"
            )
        self.rate = rate
        self.iterations = iterations
        self.tolerance = tolerance
        self.warm_start = warm_start

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Makes room for u."""
        products = 1 + 2 * (self.iterations + self.warm_start)
        self.evaluations = 1 + products * len(weights)
        if self.warm_start:
            self._last = Memory(weights)
            self.variables = self._last.variables

    def __call__(self, field: Field) -> Weights:
        """u, up to the tolerance or as far as the iterations go."""

        def forth(u: Weights) -> Weights:
            return _coupled(field.along, u, self.rate)

        def back(u: Weights) -> Weights:
            return _coupled(field.transposed, u, self.rate)

        found = solved(
            lambda u: back(forth(u)),
            back(field()),
            self.iterations,
            self.tolerance,
            self._last.read(field.players) if self.warm_start else None,
        )
        if self.warm_start:
            self._last.write(found)
        return found


def _coupled(product: Callable[[Weights], Weights], u: Weights, rate: float) -> Weights:
    """u + ηNu or u + ηN'u, by products with J or J' of one player's part at a time."""
    found = u
    for player in u:
        image = product({player: u[player]})
        others = {other: image[other] for other in u if other != player}
        found = weights.moved(found, others, rate)
    return found
