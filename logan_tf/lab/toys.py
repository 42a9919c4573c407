"""Games of a few numbers, in float64, whose dynamics have closed forms.

Those of two players call them as a GAN's: the generator x minimizes f and the
discriminator y maximizes it. λ are the eigenvalues of the field's Jacobian J at the
fixed point 0.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from logan_tf.game.field import Played
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, Weights

Loss: TypeAlias = Callable[[Mapping[str, tf.Tensor]], tf.Tensor]
"""All players' vectors by name → a scalar."""


class Toy:
    """A game in which each player is one vector; there are no samples.

    Args:
      losses: of each player.
      start: where each begins, a vector.

    Attributes:
      variables: the players, float64.
    """

    def __init__(
        self, losses: Mapping[str, Loss], start: Mapping[str, Sequence[float]]
    ) -> None:
        self.losses = dict(losses)
        self.variables = {
            player: tf.Variable(start[player], dtype=tf.float64) for player in losses
        }

    def weights(self) -> Weights:
        """Each player where it is, one tensor."""
        return {p: [tf.convert_to_tensor(v)] for p, v in self.variables.items()}

    def play(
        self, round_: None, players: Sequence[str], at: Weights | None = None
    ) -> Played:
        """The gradients of some players, differentiable in `at`."""
        at = self.weights() | (at or {})
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(at)
            losses = {player: self.loss(round_, player, at) for player in players}
        gradients = {
            player: tape.gradient(loss, at[player], unconnected_gradients="zero")
            for player, loss in losses.items()
        }
        metrics = {f"{player}_loss": loss for player, loss in losses.items()}
        return Played(gradients, {}, metrics)

    def loss(self, round_: None, player: str, at: Weights | None = None) -> tf.Tensor:
        """A player's loss."""
        at = self.weights() | (at or {})
        return self.losses[player]({other: w for other, (w,) in at.items()})


def bilinear(slope: float = 1.0) -> Toy:
    """f = a xy: λ = ±ia, a pure rotation."""
    return saddle(0.0, 0.0, slope)


def quadratic(growth: float, rotation: float) -> Toy:
    """f = μ/2 (x² − y²) + a xy: λ = μ ± ia."""
    return saddle(growth / 2, -growth / 2, rotation)


def saddle(of_x: float, of_y: float, of_both: float) -> Toy:
    """f = p x² + q y² + r xy, J = [[2p, r], [−r, −2q]] over (x, y).

    0 is a local Nash equilibrium for p > 0 > q, a local minimax point for q < 0 and
    p > r² / 4q, and nothing of a solution else.
    """

    def value(at: Mapping[str, tf.Tensor]) -> tf.Tensor:
        x, y = at[GENERATOR], at[DISCRIMINATOR]
        return tf.reduce_sum(of_x * x**2 + of_y * y**2 + of_both * x * y)

    return Toy(
        {DISCRIMINATOR: lambda at: -value(at), GENERATOR: value},
        {DISCRIMINATOR: [1.0], GENERATOR: [1.0]},
    )


def linear(matrix: Sequence[Sequence[float]]) -> Toy:
    """v = Jω over (discriminator, generator) of one number each, for any J, 2 x 2."""
    (own, other), (others, mine) = matrix

    def of_discriminator(at: Mapping[str, tf.Tensor]) -> tf.Tensor:
        y, x = at[DISCRIMINATOR], at[GENERATOR]
        return tf.reduce_sum(own / 2 * y**2 + other * x * y)

    def of_generator(at: Mapping[str, tf.Tensor]) -> tf.Tensor:
        y, x = at[DISCRIMINATOR], at[GENERATOR]
        return tf.reduce_sum(mine / 2 * x**2 + others * x * y)

    return Toy(
        {DISCRIMINATOR: of_discriminator, GENERATOR: of_generator},
        {DISCRIMINATOR: [1.0], GENERATOR: [1.0]},
    )


FIXED_POINTS = {
    "stable node": ((1.0, 0.0), (0.0, 0.4)),
    "unstable node": ((-1.0, 0.0), (0.0, -0.4)),
    "saddle": ((1.0, 0.0), (0.0, -0.6)),
    "stable focus": ((0.3, 1.0), (-1.0, 0.3)),
    "unstable focus": ((-0.3, 1.0), (-1.0, -0.3)),
    "center": ((0.0, 1.0), (-1.0, 0.0)),
    "stable improper node": ((0.6, 1.0), (0.0, 0.6)),
    "line of fixed points": ((1.0, 0.0), (0.0, 0.0)),
}
"""J of each class of fixed points in the plane, as descent along −v meets them."""


def kind(matrix: Sequence[Sequence[float]]) -> str:
    """The class of 0 for the flow dω/dt = −Jω, one of `FIXED_POINTS`, by J's
    eigenvalues.

    An unstable improper node has no name of its own here: it is an unstable node.
    """
    j = np.asarray(matrix, float)
    trace, determinant = np.trace(j), np.linalg.det(j)
    if np.isclose(determinant, 0):
        return "line of fixed points"
    if determinant < 0:
        return "saddle"
    if np.isclose(trace, 0):
        return "center"
    stability = "stable" if trace > 0 else "unstable"
    discriminant = trace**2 / 4 - determinant
    if np.isclose(discriminant, 0) and stability == "stable":
        proper = np.allclose(j, j[0, 0] * np.eye(2))
        return "stable node" if proper else "stable improper node"
    return f"{stability} {'focus' if discriminant < 0 else 'node'}"


def dirac(penalty: float = 0.0) -> Toy:
    """Dirac-GAN: data at 0, a sample at θ, D(x) = ψx (Mescheder et al. 2018).

    f = −softplus(ψθ), and R1 is γ/2 ψ² for D: λ = γ/2 ± √(γ²/4 − ¼).

    Args:
      penalty: γ.
    """

    def value(at: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return -tf.reduce_sum(tf.math.softplus(at[DISCRIMINATOR] * at[GENERATOR]))

    def of_discriminator(at: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return penalty / 2 * tf.reduce_sum(at[DISCRIMINATOR] ** 2) - value(at)

    return Toy(
        {DISCRIMINATOR: of_discriminator, GENERATOR: value},
        {DISCRIMINATOR: [1.0], GENERATOR: [1.0]},
    )


def wasserstein_dirac(step_size: float = 0.0) -> Toy:
    """Dirac-GAN with f = ψ(z + θ), one latent z of 0 that a step of α moves by αψ.

    Both see f(z') = ψ(θ + αψ), LOGAN's gradient step: J = [[2α, 1], [−1, 0]] over
    (ψ, θ), and ρ² = 1 − 2αη + η² for α < 1.

    Args:
      step_size: α.
    """

    def value(at: Mapping[str, tf.Tensor]) -> tf.Tensor:
        critic = at[DISCRIMINATOR]
        return tf.reduce_sum(critic * (at[GENERATOR] + step_size * critic))

    return Toy(
        {DISCRIMINATOR: value, GENERATOR: lambda at: -value(at)},
        {DISCRIMINATOR: [1.0], GENERATOR: [1.0]},
    )


def potential() -> Toy:
    """Both pay (x + 2y)²/2 + x²y² + y²: v is a gradient, J symmetric."""

    def value(at: Mapping[str, tf.Tensor]) -> tf.Tensor:
        x, y = at[GENERATOR], at[DISCRIMINATOR]
        return tf.reduce_sum((x + 2 * y) ** 2 / 2 + (x * y) ** 2 + y**2)

    return Toy(
        {DISCRIMINATOR: value, GENERATOR: value},
        {DISCRIMINATOR: [0.7], GENERATOR: [-0.4]},
    )


def circle(growth: float = 0.0, players: Sequence[str] = ("a", "b", "c")) -> Toy:
    """Each of n pays μ/2 w² + w · (the next one's w): λ = μ + the n-th roots of 1."""

    def loss(player: str, after: str) -> Loss:
        return lambda at: tf.reduce_sum(
            growth / 2 * at[player] ** 2 + at[player] * at[after]
        )

    following = np.roll(players, -1)
    return Toy(
        {p: loss(p, str(n)) for p, n in zip(players, following, strict=True)},
        {player: [1.0] for player in players},
    )
