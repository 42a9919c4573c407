"""Competitive gradient descent (Schäfer & Anandkumar 2019, eq. 4; CGD), and its form
with a rate for each weight (Schäfer, Zheng & Anandkumar 2020; ACGD).

Each player's step is its part in the Nash equilibrium of the game that is bilinear
around where they are. With N the Jacobian without its diagonal blocks the players get

    u of (I + ηN) u = v,

for two of them u_x = (I − η² J_xy J_yx)⁻¹ (v_x − ηJ_xy v_y) and its mirror image.
The source solves that by conjugate gradients, for which its matrix has to be symmetric:
in a zero-sum game. Here they solve (I + ηN)'(I + ηN) u = (I + ηN)'v, which in a
zero-sum game has the same matrix, and is right in every other one too.

ACGD has a rate ηd for each weight, d = 1 / (√ŝ + ε) as of RMSProp with bias correction.
With R = √diag(d): w of (I + ηRNR) w = Rv, and u = Rw.
"""

from collections.abc import Callable

import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.conjugate_gradients import solved
from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.dynamics.memory import Memory
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights

Product = Callable[[Weights], Weights]


class CompetitiveGradientDescent(Dynamics):
    """Of n ≥ 2 players, all at once; u is a gradient to their optimizers.

    Args:
      rate: η > 0, of all players; with SGD, its learning rate.
      iterations: of conjugate gradients, 1 or more; each is 2n products with J.
      tolerance: ≥ 0, of the residual relative to the right side, where they stop.
      warm_start: whether they begin at the solution of the update before.

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
                f"{type(self).__name__}.rate must be above 0, iterations 1 or more "
                f"and tolerance 0 or more, not {rate}, {iterations} and {tolerance}"
            )
        self.rate = rate
        self.iterations = iterations
        self.tolerance = tolerance
        self.warm_start = warm_start

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Makes room for the solution."""
        products = 1 + 2 * (self.iterations + self.warm_start)
        self.evaluations = 1 + products * len(weights)
        if self.warm_start:
            self._last = Memory(weights)
            self.variables = self._last.variables

    def __call__(self, field: Field) -> Weights:
        """u, up to the tolerance or as far as the iterations go."""
        return self._solved(field, field(), lambda u: u)

    def _solved(self, field: Field, v: Weights, scaled: Product) -> Weights:
        """u, with `scaled` for the product with R."""

        def forth(w: Weights) -> Weights:
            return _coupled(lambda u: scaled(field.along(scaled(u))), w, self.rate)

        def back(w: Weights) -> Weights:
            return _coupled(lambda u: scaled(field.transposed(scaled(u))), w, self.rate)

        found = solved(
            lambda w: back(forth(w)),
            back(scaled(v)),
            self.iterations,
            self.tolerance,
            self._last.read(field.players) if self.warm_start else None,
        )
        if self.warm_start:
            self._last.write(found)
        return scaled(found)


class AdaptiveCompetitiveGradientDescent(CompetitiveGradientDescent):
    """With a rate of its own for each weight. For SGD of learning rate η: Adam's own
    moments would scale u once more.

    Args:
      rate, iterations, tolerance, warm_start: as above.
      beta: in (0, 1), the decay of the squares' mean s.
      epsilon: ε > 0.

    Raises:
      ConfigurationError: for an argument out of its range.
    """

    def __init__(
        self,
        rate: float = 1e-3,
        iterations: int = 3,
        tolerance: float = 1e-6,
        warm_start: bool = True,
        beta: float = 0.99,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__(rate, iterations, tolerance, warm_start)
        if not 0 < beta < 1 or epsilon <= 0:
            raise ConfigurationError(
                "AdaptiveCompetitiveGradientDescent.beta must be in (0, 1) and epsilon "
                f"above 0, not {beta} and {epsilon}"
            )
        self.beta, self.epsilon = beta, epsilon

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Makes room for the solution, s and the number of updates."""
        super().build(weights, ahead)
        self._squares = Memory(weights)
        self._count = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.variables = [*self.variables, *self._squares.variables, self._count]

    def __call__(self, field: Field) -> Weights:
        """u, of rates that have seen v."""
        v, beta = field(), self.beta
        old = self._squares.read(field.players)
        squares = {
            player: [beta * s + (1 - beta) * g**2 for s, g in zip(s_, g_, strict=True)]
            for player, s_, g_ in ((p, old[p], v[p]) for p in v)
        }
        self._squares.write(squares)
        self._count.assign_add(1)
        roots = {
            player: [self._root(s) for s in tensors]
            for player, tensors in squares.items()
        }

        def scaled(u: Weights) -> Weights:
            return {
                player: [r * x for r, x in zip(roots[player], tensors, strict=True)]
                for player, tensors in u.items()
            }

        return self._solved(field, v, scaled)

    def _root(self, square: tf.Tensor) -> tf.Tensor:
        """√d of a mean of squares."""
        count = tf.cast(self._count, square.dtype)
        unbiased = square / (1 - tf.pow(tf.constant(self.beta, square.dtype), count))
        return 1 / tf.sqrt(tf.sqrt(unbiased) + self.epsilon)


def _coupled(product: Product, u: Weights, rate: float) -> Weights:
    """u + ηNu or u + ηN'u, by products with J or J' of one player's part at a time."""
    found = u
    for player in u:
        image = product({player: u[player]})
        others = {other: image[other] for other in u if other != player}
        found = weights.moved(found, others, rate)
    return found
