"""The game: two players, an objective, and the latent's move before theirs.

`Game.play` returns each player's gradient. It keeps the latent step and the losses on
two
tapes: `inner` records θ → (z', R_z) and `outer`, which watches z', records θ, z' → L.
By the chain rule, with ∂ partial (z' held) and d total,

    dL/dθ = ∂L/∂θ  +  (∂z'/∂θ)ᵀ ∂L/∂z'  +  w_r ∂‖Δz‖²/∂θ          (LOGAN, eq. 5)

The first term is the ordinary GAN's gradient at z', the others are second-order and
come from the inner tape. So each player can have its own `stop_gradient`, and the share
of the second-order terms comes for free.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.latent import LatentOptimizer
from logan_tf.game.objectives import Losses, Objective, hinge
from logan_tf.layers import spectral_normalization

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
PLAYERS = (DISCRIMINATOR, GENERATOR)

Metrics = dict[str, tf.Tensor]


class Round(NamedTuple):
    """What one update of the players needs."""

    images: tf.Tensor  # [batch, *shape], real
    labels: tf.Tensor  # int [batch]
    latents: tf.Tensor  # [batch, dim]
    fake_labels: tf.Tensor  # int [batch]


class Outcome(NamedTuple):
    """What one round gives: a gradient per player that played, and scalars to watch."""

    gradients: dict[str, list[tf.Tensor]]
    metrics: Metrics


class _Move(NamedTuple):
    """The latents' move, and f(z) before it where it was asked for."""

    latents: tf.Tensor
    delta: tf.Tensor
    regularizer: tf.Tensor
    scores: tf.Tensor | None


class Game:
    """A generator and a discriminator, and what they play for.

    Args:
      generator: `generator(latents [batch, dim], labels, training=True)` → images; it
        may couple the samples of a batch (batch normalization), but changes no state.
      discriminator: `discriminator(images, labels)` → scores [batch].
      objective: of `logan_tf.game.objectives`.
      latent_optimizer: the latent's move; None for the game without one.
      regularizer_weight: w_r ≥ 0 of R_z = w_r ‖Δz‖², averaged over the batch and added
        to both losses (eq. 17).
      stop_gradient: the players ("discriminator", "generator") to whom Δz is a constant
        in the adversarial term: the ablations of Fig. 5b.
      stop_regularizer: whether Δz is a constant in R_z too, for the same players.

    Raises:
      ConfigurationError: for an unknown player or a negative weight.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        objective: Objective = hinge,
        latent_optimizer: LatentOptimizer | None = None,
        regularizer_weight: float = 0.0,
        stop_gradient: Collection[str] = (),
        stop_regularizer: bool = False,
    ) -> None:
        for player in stop_gradient:
            if player not in PLAYERS:
                raise ConfigurationError(
                    f"Game.stop_gradient names {player!r}: a tuple of players is "
                    "meant, "
                    f"of {' and '.join(PLAYERS)}"
                )
        if regularizer_weight < 0:
            raise ConfigurationError(
                f"Game.regularizer_weight must be 0 or more, not {regularizer_weight}"
            )
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.latent_optimizer = latent_optimizer
        self.regularizer_weight = regularizer_weight
        self.stop_gradient = frozenset(stop_gradient)
        self.stop_regularizer = stop_regularizer

    def variables(self, player: str) -> list[keras.Variable]:
        """The trainable variables of "discriminator" or "generator"."""
        return getattr(self, player).trainable_variables

    def score(self, latents: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """f(z) = D(G(z)), [batch, dim] → [batch]."""
        images = self.generator(latents, labels, training=True)
        return self.discriminator(images, labels)

    def advance_spectral_norms(self) -> None:
        """Advances both players' spectral-norm vectors; once per update, before it."""
        spectral_normalization.advance(self.discriminator)
        spectral_normalization.advance(self.generator)

    def play(self, round_: Round, players: Sequence[str] = PLAYERS) -> Outcome:
        """One latent step, one outer pass, and the gradient of each of `players`.

        Losses are divided by the number of replicas and their gradients summed over
        replicas: at each of them stands the gradient of the global batch's mean.

        Args:
          round_: this replica's part of the batch.
          players: who is to be updated.

        Returns:
          An `Outcome`; the mean of its metrics over replicas is that of the batch.
        """
        with tf.GradientTape(persistent=True) as inner:
            move = self._move(round_.latents, round_.fake_labels)
        with tf.GradientTape(persistent=True) as outer:
            outer.watch(move.latents)
            fake_logits = self.score(move.latents, round_.fake_labels)
            # The generator's loss needs no scores of real images; what the objective
            # then makes of the stand-in belongs to the player who does not play.
            real_logits = (
                self.discriminator(round_.images, round_.labels)
                if DISCRIMINATOR in players
                else fake_logits
            )
            losses = self._scaled(self.objective(real_logits, fake_logits))
        gradients, metrics = {}, self._move_metrics(move, fake_logits)
        if DISCRIMINATOR in players:
            metrics["real_score"] = tf.reduce_mean(real_logits)
            metrics["fake_score"] = tf.reduce_mean(fake_logits)
        for player in players:
            loss = getattr(losses, player)
            gradients[player], of_player = self._gradient(
                player, loss, fake_logits, move, inner, outer
            )
            metrics |= of_player
        return Outcome(gradients, metrics)

    def _gradient(
        self,
        player: str,
        loss: tf.Tensor,
        fake_logits: tf.Tensor,
        move: _Move,
        inner: tf.GradientTape,
        outer: tf.GradientTape,
    ) -> tuple[list[tf.Tensor], Metrics]:
        """A player's gradient, and what there is to watch in it."""
        variables = [variable.value for variable in self.variables(player)]
        direct, cotangent, slope = outer.gradient(
            loss,
            (variables, move.latents, fake_logits),
            unconnected_gradients="zero",
        )
        second_order = self._through_move(player, move, cotangent, inner)
        gradient = [a + b for a, b in zip(direct, second_order, strict=True)]
        # The norms are those of the sums, not of what one replica contributes.
        if self._moves(player):
            gradient, second_order = _summed((gradient, second_order))
        else:
            gradient = _summed(gradient)
        norm = tf.linalg.global_norm(gradient)
        metrics = {
            f"{player}_loss": _all_replicas(loss + move.regularizer),
            f"{player}_gradient_norm": norm,
            f"{player}_second_order_share": tf.math.divide_no_nan(
                tf.linalg.global_norm(second_order), norm
            ),
        }
        if player == GENERATOR:
            # ∂f/∂z' along Δz, which is along ∂f/∂z: negative where the slope turned
            # round.
            uphill = tf.sign(slope)[:, None] * cotangent
            along = tf.reduce_sum(uphill * move.delta, axis=-1)
            metrics["overshoot_fraction"] = _share(along < 0)
        return gradient, metrics

    def _move(self, latents: tf.Tensor, labels: tf.Tensor) -> _Move:
        """The latent step; z' = z and R_z = 0 where there is none."""
        seen = []

        def score(latents: tf.Tensor) -> tf.Tensor:
            seen.append(self.score(latents, labels))
            return seen[-1]

        delta = tf.zeros_like(latents)
        if self.latent_optimizer is not None:
            latents, delta = self.latent_optimizer(latents, score)
        regularizer = self.regularizer_weight * tf.reduce_mean(
            tf.reduce_sum(tf.square(delta), axis=-1)
        )
        return _Move(
            latents, delta, _per_replica(regularizer), seen[0] if seen else None
        )

    def _scaled(self, losses: Losses) -> Losses:
        return Losses(*(_per_replica(loss) for loss in losses))

    def _through_move(
        self, player: str, move: _Move, cotangent: tf.Tensor, inner: tf.GradientTape
    ) -> list[tf.Tensor]:
        """The part of a player's gradient that comes through Δz, given ∂L/∂z'."""
        variables = [variable.value for variable in self.variables(player)]
        stopped = player in self.stop_gradient
        if not self._moves(player):
            return [tf.zeros_like(variable) for variable in variables]
        return inner.gradient(
            (move.latents, move.regularizer),
            variables,
            output_gradients=(
                tf.zeros_like(cotangent) if stopped else cotangent,
                tf.ones_like(move.regularizer),
            ),
            unconnected_gradients="zero",
        )

    def _moves(self, player: str) -> bool:
        """Whether Δz depends on a player's variables as far as its loss can see."""
        stopped = player in self.stop_gradient and self.stop_regularizer
        return self.latent_optimizer is not None and not stopped

    def _move_metrics(self, move: _Move, fake_logits: tf.Tensor) -> Metrics:
        optimizer = self.latent_optimizer
        if optimizer is None or move.scores is None:
            gain, clipped = tf.zeros([]), tf.zeros([])
        else:
            gain = tf.reduce_mean(fake_logits - move.scores)
            moved = move.latents[:, : optimizer.num_optimized(move.latents.shape[-1])]
            low, high = optimizer.bounds or (-math.inf, math.inf)
            clipped = _share((moved <= low) | (moved >= high))
        return {
            "delta_z_norm": tf.reduce_mean(tf.norm(move.delta, axis=-1)),
            "score_gain": gain,
            "clipped_fraction": clipped,
            "regularizer": _all_replicas(move.regularizer),
        }


def _share(condition: tf.Tensor) -> tf.Tensor:
    """The share of True; 0 of an empty tensor."""
    hits = tf.reduce_sum(tf.cast(condition, tf.float32))
    return tf.math.divide_no_nan(hits, tf.cast(tf.size(condition), tf.float32))


def _num_replicas() -> int:
    replica = tf.distribute.get_replica_context()
    return replica.num_replicas_in_sync if replica is not None else 1


def _per_replica(loss: tf.Tensor) -> tf.Tensor:
    return loss / _num_replicas()


def _all_replicas(loss: tf.Tensor) -> tf.Tensor:
    return loss * _num_replicas()


def _summed(gradients: Any) -> Any:
    """A structure of tensors, each the sum over replicas."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return gradients
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
