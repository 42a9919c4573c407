"""In which order the players move: simultaneous or alternating updates.

An update schedule takes a batch apart into rounds, and for each round advances the
spectral-norm vectors, lets the game compute gradients, and has them applied. One call
is one training step: one update of the generator.
"""

from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.errors import ConfigurationError
from logan_tf.game.game import DISCRIMINATOR, GENERATOR, PLAYERS, Game, Metrics, Round

Apply = Callable[[str, list[tf.Tensor]], tf.Tensor]
"""Applies a player's gradients and returns the norm of the change of its parameters."""


class Schedule(Protocol):
    """One training step, and how much of a batch it consumes."""

    images_per_step: int
    latents_per_step: int

    def __call__(self, game: Game, batch: Batch, apply: Apply) -> Metrics: ...


class Simultaneous:
    """Both players' gradients at the same point, from one latent step and one outer
    pass.

    The form of the paper's analysis and of Algorithm 1.
    """

    images_per_step = 1
    latents_per_step = 1

    def __call__(self, game: Game, batch: Batch, apply: Apply) -> Metrics:
        """One training step.

        Args:
          game: the game.
          batch: images [batch, 1, …], latents [batch, 1, dim], labels [batch, 1].
          apply: applies a player's gradients, returns the norm of its update.

        Returns:
          Scalars by name.
        """
        game.advance_spectral_norms()
        gradients, metrics = game.play(_round(batch, 0), PLAYERS)
        for player in PLAYERS:
            metrics[f"{player}_update_norm"] = apply(player, gradients[player])
        return metrics


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
        self.images_per_step = discriminator_steps
        self.latents_per_step = discriminator_steps + 1

    def __call__(self, game: Game, batch: Batch, apply: Apply) -> Metrics:
        """One training step; metrics are those of the last update of each player.

        Args:
          game: the game.
          batch: images [batch, n, …], latents [batch, n + 1, dim], labels alike.
          apply: applies a player's gradients, returns the norm of its update.

        Returns:
          Scalars by name.
        """
        metrics: Metrics = {}
        moves = [DISCRIMINATOR] * self.images_per_step + [GENERATOR]
        for index, player in enumerate(moves):
            game.advance_spectral_norms()
            gradients, of_update = game.play(_round(batch, index), [player])
            of_update[f"{player}_update_norm"] = apply(player, gradients[player])
            metrics |= of_update
        return metrics


def _round(batch: Batch, index: int) -> Round:
    """One round of a batch. The last update, the generator's, sees no real images."""
    real = min(index, batch.images.shape[1] - 1)
    return Round(
        images=batch.images[:, real],
        labels=batch.labels[:, real],
        latents=batch.latents[:, index],
        fake_labels=batch.fake_labels[:, index],
    )
