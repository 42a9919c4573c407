"""In which order the players move: simultaneous or alternating updates.

A schedule says which updates a training step has; `training.step` runs them, each kind
traced once however often a step repeats it. A training step has one update of the
generator, its last.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.errors import ConfigurationError
from logan_tf.game.game import (
    DISCRIMINATOR,
    GENERATOR,
    PLAYERS,
    Game,
    Metrics,
    Outcome,
    Round,
)

Apply = Callable[[str, list[tf.Tensor]], tf.Tensor]
"""Applies a player's gradients and returns the norm of the change of its parameters."""


class Update(NamedTuple):
    """One kind of update, and how often a step makes it, one after the other.

    Every time it takes the next round of the batch.
    """

    players: tuple[str, ...]
    repeats: int = 1


class Schedule(Protocol):
    """The updates of one training step, and how much of a batch they consume."""

    updates: tuple[Update, ...]
    images_per_step: int
    latents_per_step: int


class Simultaneous:
    """Both players' gradients at the same point, from one latent step and one outer
    pass.

    The form of the paper's analysis and of Algorithm 1.
    """

    updates: tuple[Update, ...] = (Update(PLAYERS),)
    images_per_step = 1
    latents_per_step = 1


class Alternating:
    """n updates of the discriminator, then one of the generator.

    Every update draws latents of its own and takes its own latent step.

    Args:
      discriminator_steps: n ≥ 1.

    Raises:
      ConfigurationError: if n < 1.
    """

    def __init__(self, discriminator_steps: int = 1) -> None:
        if discriminator_steps < 1:
            raise ConfigurationError(
                "Alternating.discriminator_steps must be 1 or more, not "
                f"{discriminator_steps}"
            )
        self.updates: tuple[Update, ...] = (
            Update((DISCRIMINATOR,), discriminator_steps),
            Update((GENERATOR,)),
        )
        self.images_per_step = discriminator_steps
        self.latents_per_step = discriminator_steps + 1


def round_of(
    batch: Batch, number: int | tf.Tensor, part: int | tf.Tensor = 0, parts: int = 1
) -> Round:
    """One round of a batch, or a part of it.

    A part has every `parts`-th example, so that on any number of replicas, each with
    consecutive examples, the parts of all replicas together are the same ones.

    Args:
      batch: images [batch, images_per_step, …], latents [batch, latents_per_step, dim],
        labels alike.
      number: of the update in its step. There may be no images for the last update,
        the generator's, which looks at none: it gets those of the update before.
      part: 0 to parts − 1.
      parts: how many; they divide the batch.
    """

    def take(x: tf.Tensor) -> tf.Tensor:
        last = x.shape[1] - 1
        taken = x[:, min(number, last) if isinstance(number, int) else number]
        if parts == 1:
            return taken
        return tf.reshape(taken, (-1, parts, *taken.shape[1:]))[:, part]

    return Round(*tf.nest.map_structure(take, tuple(batch)))


def update(
    game: Game, round_: Round, players: tuple[str, ...], apply: Apply
) -> Metrics:
    """One update: spectral-norm vectors advance, the game is played, gradients applied.

    Args:
      game: the game.
      round_: this replica's part of the batch.
      players: who is updated, all at the same point.
      apply: applies a player's gradients, returns the norm of its update.

    Returns:
      Scalars by name.
    """
    game.advance_spectral_norms()
    return applied(game.play(round_, players), apply)


def applied(outcome: Outcome, apply: Apply) -> Metrics:
    """Has an outcome's gradients applied; its metrics, and the norm of each update."""
    norms = {
        f"{player}_update_norm": apply(player, gradient)
        for player, gradient in outcome.gradients.items()
    }
    return outcome.metrics | norms
