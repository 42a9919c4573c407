"""The game: two players, an objective, and the latent's move before theirs.

`Game.play` returns each player's gradient. It keeps the latent step and the losses on
two tapes: `inner` records θ → (z', R_z) and `outer`, which watches z', records θ, z' →
L.
By the chain rule, with ∂ partial (z' held) and d total,

    dL/dθ = ∂L/∂θ  +  (∂z'/∂θ)ᵀ ∂L/∂z'  +  w_r ∂‖Δz‖²/∂θ          (LOGAN, eq. 5)

The first term is the ordinary GAN's gradient at z', the others are second-order and
come from the inner tape. So each player can have its own `stop_gradient`, and the share
of the second-order terms comes for free.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game import penalties
from logan_tf.game.augmentation import Augmentation, Draws
from logan_tf.game.latent import LatentOptimizer
from logan_tf.game.move import Metrics, Move
from logan_tf.game.objectives import Losses, Objective, hinge
from logan_tf.game.replicas import all_replicas, per_replica, summed
from logan_tf.layers import spectral_normalization

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
PLAYERS = (DISCRIMINATOR, GENERATOR)


class Round(NamedTuple):
    """What one update of the players needs."""

    images: tf.Tensor  # [batch, *shape], real
    labels: tf.Tensor  # int [batch]
    latents: tf.Tensor  # [batch, dim]
    fake_labels: tf.Tensor  # int [batch]
    image_draws: tf.Tensor | tuple[()] = ()  # [batch, num_draws], for `images`
    fake_draws: tf.Tensor | tuple[()] = ()  # [batch, num_draws], for those of `latents`


class Outcome(NamedTuple):
    """What one round gives: a gradient per player that played, and scalars to watch."""

    gradients: dict[str, list[tf.Tensor]]
    metrics: Metrics


class Gradient(NamedTuple):
    """A player's gradient, and the part of it that came through Δz."""

    whole: list[tf.Tensor]
    second_order: list[tf.Tensor]
    """Empty where Δz is a constant to the player."""


class Contribution(NamedTuple):
    """What one replica, or one micro-batch of it, adds to an `Outcome`.

    The gradients of all replicas add up, those of micro-batches are averaged; metrics
    are means over samples and averaged over both.
    """

    gradients: dict[str, Gradient]
    metrics: Metrics


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
      augmentation: of all that the discriminator sees, real or generated
        (`logan_tf.game.augmentation`): (images, draws [batch, num_draws]) → images. A
        sample's draws are the same in the latent step and after it. None: as it is.
      orthogonality_weight: β ≥ 0 of the generator's orthogonal regularization
        (`logan_tf.game.penalties`).

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
        augmentation: Augmentation | None = None,
        orthogonality_weight: float = 0.0,
    ) -> None:
        for player in stop_gradient:
            if player not in PLAYERS:
                raise ConfigurationError(
                    f"Game.stop_gradient names {player!r}: a tuple of players is "
                    "meant, "
                    f"of {' and '.join(PLAYERS)}"
                )
        for name, weight in (
            ("regularizer_weight", regularizer_weight),
            ("orthogonality_weight", orthogonality_weight),
        ):
            if weight < 0:
                raise ConfigurationError(f"Game.{name} must be 0 or more, not {weight}")
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.latent_optimizer = latent_optimizer
        self.regularizer_weight = regularizer_weight
        self.stop_gradient = frozenset(stop_gradient)
        self.stop_regularizer = stop_regularizer
        self.augmentation = augmentation
        self.orthogonality_weight = orthogonality_weight

    def variables(self, player: str) -> list[keras.Variable]:
        """The trainable variables of "discriminator" or "generator"."""
        return getattr(self, player).trainable_variables

    @property
    def num_draws(self) -> int:
        """How many uniform numbers a round has for each image and each latent."""
        return 0 if self.augmentation is None else self.augmentation.num_draws

    def score(
        self, latents: tf.Tensor, labels: tf.Tensor, draws: Draws = ()
    ) -> tf.Tensor:
        """f(z) = D(G(z)), [batch, dim] → [batch]; what is random in it is `draws`."""
        images = self.generator(latents, labels, training=True)
        return self._judge(images, labels, draws)

    def _judge(self, images: tf.Tensor, labels: tf.Tensor, draws: Draws) -> tf.Tensor:
        """The discriminator's scores [batch]; in float32 where it computes in less."""
        if self.augmentation is not None:
            images = self.augmentation(images, draws)
        scores = self.discriminator(images, labels)
        return tf.cast(scores, tf.float32) if scores.dtype.size < 4 else scores

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
        return self.settle(self.contribute(round_, players))

    def contribute(self, round_: Round, players: Sequence[str]) -> Contribution:
        """The latent step, the outer pass and gradients of one replica's samples.

        Args:
          round_: this replica's part of the batch, or a micro-batch of it.
          players: who is to be updated.

        Returns:
          A `Contribution`: of a loss that is divided by the number of replicas.
        """
        with tf.GradientTape(persistent=True) as inner:
            move = self._move(round_)
        with tf.GradientTape(persistent=True) as outer:
            outer.watch(move.latents)
            fake_logits = self.score(
                move.latents, round_.fake_labels, round_.fake_draws
            )
            # The generator's loss needs no scores of real images; what the objective
            # then makes of the stand-in belongs to the player who does not play.
            real_logits = (
                self._judge(round_.images, round_.labels, round_.image_draws)
                if DISCRIMINATOR in players
                else fake_logits
            )
            losses = self._scaled(self.objective(real_logits, fake_logits))
        gradients, metrics = {}, move.metrics(self.latent_optimizer, fake_logits)
        if DISCRIMINATOR in players:
            metrics["real_score"] = tf.reduce_mean(real_logits)
            metrics["fake_score"] = tf.reduce_mean(fake_logits)
        for player in players:
            loss = getattr(losses, player)
            metrics[f"{player}_loss"] = all_replicas(loss + move.regularizer)
            direct, cotangent, slope = outer.gradient(
                loss,
                (self._weights(player), move.latents, fake_logits),
                unconnected_gradients="zero",
            )
            if player == GENERATOR:
                metrics["overshoot_fraction"] = move.overshoot(cotangent, slope)
            second_order = self._through_move(player, move, cotangent, inner)
            gradients[player] = Gradient(_sum(direct, second_order), second_order)
        return Contribution(gradients, metrics)

    def settle(self, contribution: Contribution) -> Outcome:
        """The gradient of the global batch, at every replica, and what is to watch.

        Args:
          contribution: of this replica; that of several micro-batches is their mean.

        Returns:
          An `Outcome` with the contribution's metrics and the gradients' norms, which
          are those of the sums, not of what one replica contributes.
        """
        gradients, metrics = {}, dict(contribution.metrics)
        for player, own in contribution.gradients.items():
            gradient, second_order = summed(own)
            if player == GENERATOR and self.orthogonality_weight:
                penalty, more = self._orthogonality()
                gradient = _sum(gradient, more)
                metrics["orthogonality_penalty"] = penalty
            gradients[player] = gradient
            norm = tf.linalg.global_norm(gradient)
            metrics[f"{player}_gradient_norm"] = norm
            metrics[f"{player}_second_order_share"] = (
                tf.math.divide_no_nan(tf.linalg.global_norm(second_order), norm)
                if second_order
                else tf.zeros_like(norm)
            )
        return Outcome(gradients, metrics)

    def moves(self, player: str) -> bool:
        """Whether Δz depends on a player's variables as far as its loss can see."""
        stopped = player in self.stop_gradient and self.stop_regularizer
        return self.latent_optimizer is not None and not stopped

    def _orthogonality(self) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The generator's penalty and its gradient: of no sample, so once an update."""
        with tf.GradientTape() as tape:
            penalty = self.orthogonality_weight * penalties.orthogonality(
                penalties.matrices(self.generator)
            )
        return penalty, tape.gradient(
            penalty, self._weights(GENERATOR), unconnected_gradients="zero"
        )

    def _weights(self, player: str) -> list[tf.Tensor]:
        return [variable.value for variable in self.variables(player)]

    def _move(self, round_: Round) -> Move:
        """The latent step; z' = z and R_z = 0 where there is none."""
        seen = []

        def score(latents: tf.Tensor) -> tf.Tensor:
            seen.append(self.score(latents, round_.fake_labels, round_.fake_draws))
            return seen[-1]

        latents, delta = round_.latents, tf.zeros_like(round_.latents)
        if self.latent_optimizer is not None:
            latents, delta = self.latent_optimizer(latents, score)
        regularizer = self.regularizer_weight * tf.reduce_mean(
            tf.reduce_sum(tf.square(delta), axis=-1)
        )
        return Move(latents, delta, per_replica(regularizer), seen[0] if seen else None)

    def _scaled(self, losses: Losses) -> Losses:
        return Losses(*(per_replica(loss) for loss in losses))

    def _through_move(
        self, player: str, move: Move, cotangent: tf.Tensor, inner: tf.GradientTape
    ) -> list[tf.Tensor]:
        """The part of a player's gradient that comes through Δz, given ∂L/∂z'."""
        if not self.moves(player):
            return []
        stopped = player in self.stop_gradient
        return inner.gradient(
            (move.latents, move.regularizer),
            self._weights(player),
            output_gradients=(
                tf.zeros_like(cotangent) if stopped else cotangent,
                tf.ones_like(move.regularizer),
            ),
            unconnected_gradients="zero",
        )


def _sum(direct: list[tf.Tensor], second_order: list[tf.Tensor]) -> list[tf.Tensor]:
    if not second_order:
        return direct
    return [a + b for a, b in zip(direct, second_order, strict=True)]
