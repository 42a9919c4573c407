"""The latents' part in a game: their move, what it costs, and who sees through it."""

import math
from collections.abc import Collection
from typing import NamedTuple

import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.field import Metrics
from logan_tf.game.latent import LatentOptimizer, Score
from logan_tf.game.replicas import all_replicas, per_replica
from logan_tf.game.weights import PLAYERS, dense


class Move(NamedTuple):
    """z → z' of this replica's samples, and what it costs.

    Attributes:
      latents: z', [batch, dim].
      delta: Δz, [batch, dim].
      regularizer: this replica's share of R_z.
      scores: f(z) [batch] where it was asked for.
    """

    latents: tf.Tensor
    delta: tf.Tensor
    regularizer: tf.Tensor
    scores: tf.Tensor | None

    def overshoot(self, cotangent: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
        """The share of samples whose slope at z' points against Δz.

        ∂f/∂z' along Δz, which is along ∂f/∂z: negative where the slope turned round.

        Args:
          cotangent: ∂L/∂z', [batch, dim], of the generator's loss.
          slope: ∂L/∂f(z'), [batch].
        """
        uphill = tf.sign(slope)[:, None] * cotangent
        return _share(tf.reduce_sum(uphill * self.delta, axis=-1) < 0)


class LatentRule:
    """How latents move in training, and what the move is to the players.

    Args:
      optimizer: moves them; None: nothing does.
      regularizer_weight: w_r ≥ 0 of R_z = w_r ‖Δz‖², averaged over the batch and added
        to both losses (LOGAN, eq. 17).
      stop_gradient: the players ("discriminator", "generator") to whom Δz is a constant
        in the adversarial term and in penalties: the ablations of Fig. 5b.
      stop_regularizer: whether Δz is a constant in R_z too, for the same players.

    Raises:
      ConfigurationError: for an unknown player or a negative weight.
    """

    def __init__(
        self,
        optimizer: LatentOptimizer | None = None,
        regularizer_weight: float = 0.0,
        stop_gradient: Collection[str] = (),
        stop_regularizer: bool = False,
    ) -> None:
        for player in stop_gradient:
            if player not in PLAYERS:
                raise ConfigurationError(
                    f"LatentRule.stop_gradient names {player!r}: a tuple of players is "
                    f"meant, of {' and '.join(PLAYERS)}"
                )
        if regularizer_weight < 0:
            raise ConfigurationError(
                "LatentRule.regularizer_weight must be 0 or more, not "
                f"{regularizer_weight}"
            )
        self.optimizer = optimizer
        self.regularizer_weight = regularizer_weight
        self.stop_gradient = frozenset(stop_gradient)
        self.stop_regularizer = stop_regularizer

    def __call__(self, latents: tf.Tensor, score: Score) -> Move:
        """Moves latents z [batch, dim] uphill on f, [batch, dim] → [batch]."""
        seen = []

        def noted(latents: tf.Tensor) -> tf.Tensor:
            seen.append(score(latents))
            return seen[-1]

        moved, delta = latents, tf.zeros_like(latents)
        if self.optimizer is not None:
            moved, delta = self.optimizer(latents, noted)
        regularizer = self.regularizer_weight * tf.reduce_mean(
            tf.reduce_sum(tf.square(delta), axis=-1)
        )
        return Move(moved, delta, per_replica(regularizer), seen[0] if seen else None)

    def is_seen_by(self, player: str) -> bool:
        """Whether Δz is more than a constant to a player."""
        stopped = player in self.stop_gradient and self.stop_regularizer
        return self.optimizer is not None and not stopped

    def as_seen_by(self, player: str, move: Move) -> Move:
        """The move with the stops of a player, for a loss that one tape records."""
        if player not in self.stop_gradient:
            return move
        stopped = move._replace(latents=tf.stop_gradient(move.latents))
        if not self.stop_regularizer:
            return stopped
        return stopped._replace(regularizer=tf.stop_gradient(move.regularizer))

    def pulled_back(
        self,
        player: str,
        move: Move,
        cotangent: tf.Tensor,
        tape: tf.GradientTape,
        weights: list[tf.Tensor],
    ) -> list[tf.Tensor]:
        """The part of a player's gradient that comes through its move.

        Args:
          player: whose gradient.
          move: recorded by `tape`.
          cotangent: ∂L/∂z', [batch, dim], of its loss without R_z.
          tape: persistent, or not used before.
          weights: of the player.

        Returns:
          As many tensors as `weights`; none where Δz is a constant.
        """
        if not self.is_seen_by(player):
            return []
        stopped = player in self.stop_gradient
        gradients = tape.gradient(
            (move.latents, move.regularizer),
            weights,
            output_gradients=(
                tf.zeros_like(cotangent) if stopped else cotangent,
                tf.ones_like(move.regularizer),
            ),
            unconnected_gradients="zero",
        )
        return dense(gradients)

    def metrics(self, move: Move, fake_scores: tf.Tensor) -> Metrics:
        """Scalars by name, each a mean over the samples; f(z') is [batch]."""
        if self.optimizer is None or move.scores is None:
            gains, clipped = tf.zeros([]), tf.zeros([])
        else:
            gains = fake_scores - move.scores
            dim = move.latents.shape[-1]
            moved = move.latents[:, : self.optimizer.num_optimized(dim)]
            low, high = self.optimizer.bounds or (-math.inf, math.inf)
            clipped = _share((moved <= low) | (moved >= high))
        return {
            "delta_z_norm": tf.reduce_mean(tf.norm(move.delta, axis=-1)),
            "score_gain": tf.reduce_mean(gains),
            "absolute_score_gain": tf.reduce_mean(tf.abs(gains)),
            "clipped_fraction": clipped,
            "regularizer": all_replicas(move.regularizer),
        }


def _share(condition: tf.Tensor) -> tf.Tensor:
    """The share of True; 0 of an empty tensor."""
    hits = tf.reduce_sum(tf.cast(condition, tf.float32))
    return tf.math.divide_no_nan(hits, tf.cast(tf.size(condition), tf.float32))
