"""The floor: the fewest forward-pass equivalents that the exact algorithm needs.

In units of one forward pass of the generator (g) and of the discriminator (d), for a
generator with batch normalization and a discriminator that is piecewise linear in its
input: no normalization of activations, no attention. Then a backward pass to the inputs
costs one unit, one to the parameters another, and so does the tangent that
differentiates a backward pass; the discriminator's second derivative is zero.
"""

from typing import NamedTuple

from logan_tf.game.game import Game
from logan_tf.game.schedules import Schedule, Simultaneous
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS
from logan_tf.training.cost import ForwardPass


class Units(NamedTuple):
    """A number of passes of each network."""

    g: int
    d: int

    def operations(self, forward: ForwardPass) -> int:
        """What the passes cost, given one pass of each network."""
        return self.g * forward.generator + self.d * forward.discriminator

    def __str__(self) -> str:
        return f"{self.g}g + {self.d}d"


def of_step(game: Game, schedule: Schedule) -> Units:
    """The floor of one training step.

    Args:
      game: with its latent steps and stops.
      schedule: simultaneous, or n updates of D and then one of G.

    Returns:
      Its `Units`: 3g + 7d for the simultaneous baseline, 11g + 11d for LOGAN.
    """
    if isinstance(schedule, Simultaneous):
        # The players share G(z) and D(G(z)).
        g, d = _latent_steps(game)
        for player in PLAYERS:
            more = _second_order(game, player)
            g, d = g + more.g, d + more.d
        return Units(g + 3, d + 7)
    n = schedule.images_per_step
    of_discriminator = _alone(game, DISCRIMINATOR, Units(1, 6))
    of_generator = _alone(game, GENERATOR, Units(3, 2))
    return Units(
        n * of_discriminator.g + of_generator.g, n * of_discriminator.d + of_generator.d
    )


def shared_backward(schedule: Schedule) -> int:
    """Passes of D that an exact sharing would save.

    A piecewise linear discriminator's backward pass is linear in each sample's
    cotangent, so that of one loss over the fake batch is that of the other, scaled.
    """
    return 1 if isinstance(schedule, Simultaneous) else 0


def _alone(game: Game, player: str, baseline: Units) -> Units:
    """One player's update, with a latent step of its own."""
    parts = [baseline, _latent_steps(game), _second_order(game, player)]
    return Units(sum(part.g for part in parts), sum(part.d for part in parts))


def _latent_steps(game: Game) -> Units:
    """Each step: f(z) forward, and back to z."""
    steps = _num_steps(game)
    return Units(2 * steps, 2 * steps)


def _num_steps(game: Game) -> int:
    optimizer = game.latent_rule.optimizer
    return optimizer.num_steps if optimizer else 0


def _second_order(game: Game, player: str) -> Units:
    """What a player's gradient through k latent steps adds."""
    steps, rule = _num_steps(game), game.latent_rule
    stopped = player in rule.stop_gradient
    if not steps or (
        stopped and (rule.stop_regularizer or not rule.regularizer_weight)
    ):
        return Units(0, 0)
    if player == GENERATOR:
        # The tangent of G, its parameters in the backward pass, and the forward pass
        # once more: back to the inputs and to the parameters (∂L/∂z' was there anyway).
        return Units(4 * steps, 0)
    # ∂L/∂z' through G where the adversarial term goes through Δz; in each step the
    # tangents of G and of D, and D's parameters; between two steps back to z through G.
    return Units((0 if stopped else 1) + 2 * steps - 1, 2 * steps)
