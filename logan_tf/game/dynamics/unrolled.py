"""Unrolled GANs: a player sees its rivals' next K steps (Metz et al. 2016).

The generator's gradient is that of L_G(θ, φ_K(θ)), where φ_0 = φ and φ_{k+1} is a step
of the discriminator on φ_k: all of θ that is in those steps is differentiated. The
discriminator can see the generator's steps alike (LOGAN, eq. 9–12). Steps end within
the weights' constraints, by a projection that is differentiated too. One step of SGD,
for a discriminator linear in its weights, is symplectic gradient adjustment of the
generator with λ = 2η.
"""

from collections.abc import Collection

import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.field import Field
from logan_tf.game.replicas import summed
from logan_tf.game.weights import GENERATOR, Weights

_UNDER_ROOT = 1e-20  # A dead unit's second moment is 0, where a root has no slope.
_EPSILON = 1e-8


class Unrolled(Dynamics):
    """Of any number of players, under any schedule.

    Args:
      steps: K ≥ 1.
      rate: η > 0 of the rivals' steps.
      adam: whether those are Adam's, whose moments are 0 at the start of an update and
        are differentiated through; else SGD's.
      beta_1: in (−1, 1), of Adam.
      beta_2: in (0, 1), of Adam.
      players: who looks ahead; all others' K steps are simultaneous.

    Raises:
      ConfigurationError: for an argument out of its range.
    """

    def __init__(
        self,
        steps: int = 5,
        rate: float = 1e-3,
        adam: bool = False,
        beta_1: float = 0.5,
        beta_2: float = 0.999,
        players: Collection[str] = (GENERATOR,),
    ) -> None:
        if steps < 1 or rate <= 0:
            raise ConfigurationError(
                "Unrolled.steps must be 1 or more and rate above 0, not "
                f"{steps} and {rate}"
            )
        if not (-1 < beta_1 < 1 and 0 < beta_2 < 1):
            raise ConfigurationError(
                "Unrolled.beta_1 must be in (−1, 1) and beta_2 in (0, 1), not "
                f"{beta_1} and {beta_2}"
            )
        self.steps, self.rate = steps, rate
        self.adam = adam
        self.betas = beta_1, beta_2
        self.players = tuple(players)
        self.evaluations = 1 + (steps + 1) * len(self.players)

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Refuses unknown players; keeps nothing."""
        if unknown := set(self.players) - set(weights):
            raise ConfigurationError(
                f"Unrolled.players names {min(unknown)!r}: the players are "
                f"{' and '.join(weights)}"
            )

    def __call__(self, field: Field) -> Weights:
        """v, but the gradient through the unrolled steps for those who look ahead."""
        found = field()
        for player in field.players:
            if player in self.players:
                found = found | {player: self._through(field, player)}
        return found

    def _through(self, field: Field, player: str) -> list[tf.Tensor]:
        own = field.weights
        with tf.GradientTape() as tape:
            tape.watch(own[player])
            loss = field.loss(player, self._ahead(field, own, player))
        gradient = tape.gradient(loss, own[player], unconnected_gradients="zero")
        gradient = weights.dense(gradient)
        return summed(gradient)

    def _ahead(self, field: Field, own: Weights, player: str) -> Weights:
        """The weights after K steps of all but one player."""
        rivals = [rival for rival in own if rival != player]
        first = second = {r: [tf.zeros_like(w) for w in own[r]] for r in rivals}
        at = own
        for count in range(1, self.steps + 1):
            step = field(at, players=rivals)
            if self.adam:
                first = _decayed(first, step, self.betas[0])
                squares = {r: [tf.square(g) for g in step[r]] for r in rivals}
                second = _decayed(second, squares, self.betas[1])
                step = self._adam(first, second, count)
            at = field.within(weights.moved(at, step, -self.rate))
        return at

    def _adam(self, first: Weights, second: Weights, count: int) -> Weights:
        one, two = (1 - beta**count for beta in self.betas)
        return {
            player: [
                m / one / (tf.sqrt(s / two + _UNDER_ROOT) + _EPSILON)
                for m, s in zip(first[player], second[player], strict=True)
            ]
            for player in first
        }


def _decayed(mean: Weights, new: Weights, beta: float) -> Weights:
    """β m + (1 − β) x."""
    return {
        player: [
            beta * m + (1 - beta) * x
            for m, x in zip(mean[player], new[player], strict=True)
        ]
        for player in mean
    }
