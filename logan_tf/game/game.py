"""The game: two players, an objective, and the latents' move before theirs.

`Game.play` returns each player's gradient as a function of both players' weights. It
keeps the latents' move and the losses on two tapes: `inner` records θ → (z', R_z) and
`outer`, which watches z', records θ, z' → L. By the chain rule, with ∂ partial (z'
held) and d total,

    dL/dθ = ∂L/∂θ  +  (∂z'/∂θ)ᵀ ∂L/∂z'  +  w_r ∂‖Δz‖²/∂θ          (LOGAN, eq. 5)

The first term is the ordinary GAN's gradient at z', the others are second-order and
come from the inner tape. So each player can have its own `stop_gradient`, and the share
of the second-order terms comes for free.
"""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.augmentation import Augmentation, Draws
from logan_tf.game.field import Field, Metrics, Played
from logan_tf.game.latent_rule import LatentRule, Move
from logan_tf.game.objectives import Objective, hinge
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.replicas import all_replicas, per_replica
from logan_tf.game.round import Round
from logan_tf.game.weights import (
    DISCRIMINATOR,
    GENERATOR,
    PLAYERS,
    Weights,
    dense,
)
from logan_tf.layers import spectral_normalization


class Game:
    """A generator and a discriminator, and what they play for.

    Args:
      generator: `generator(latents [batch, dim], labels, training=True)` → images; it
        may couple the samples of a batch (batch normalization), but changes no state.
      discriminator: `discriminator(images, labels)` → scores [batch].
      objective: of `logan_tf.game.objectives`; one that is not for any discriminator
        has `require(discriminator)`, which raises ConfigurationError.
      latent_rule: the latents' move; None for the game without one.
      penalties: terms of a player's loss (`logan_tf.game.penalties`).
      augmentation: of all that the discriminator sees, real or generated
        (`logan_tf.game.augmentation`): (images, draws [batch, num_draws]) → images. A
        sample's draws are the same in the latent step and after it. None: as it is.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        objective: Objective = hinge,
        latent_rule: LatentRule | None = None,
        penalties: Sequence[Penalty] = (),
        augmentation: Augmentation | None = None,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.latent_rule = latent_rule or LatentRule()
        if not isinstance(penalties, Sequence):
            raise ConfigurationError(
                "Game.penalties is a list: write [@R1()], say, with the brackets"
            )
        self.penalties = tuple(penalties)
        self.augmentation = augmentation

    def variables(self, player: str) -> list[keras.Variable]:
        """The trainable variables of "discriminator" or "generator"."""
        return getattr(self, player).trainable_variables

    def weights(self) -> Weights:
        """The players' own weights, as tensors."""
        return {
            player: [tf.convert_to_tensor(v.value) for v in self.variables(player)]
            for player in PLAYERS
        }

    def within(self, at: Weights) -> Weights:
        """What the variables' constraints (weight clipping) make of such weights."""
        return {
            player: [
                weight if variable.constraint is None else variable.constraint(weight)
                for variable, weight in zip(
                    self.variables(player), weights, strict=True
                )
            ]
            for player, weights in at.items()
        }

    @property
    def num_draws(self) -> int:
        """How many uniform numbers a round has for each image and each latent."""
        return 0 if self.augmentation is None else self.augmentation.num_draws

    def score(
        self, latents: tf.Tensor, labels: tf.Tensor, draws: Draws = ()
    ) -> tf.Tensor:
        """f(z) = D(G(z)), [batch, dim] → [batch]; what is random in it is `draws`."""
        images = self.generator(latents, labels, training=True)
        return self.judge(images, labels, draws)

    def judge(
        self, images: tf.Tensor, labels: tf.Tensor, draws: Draws = ()
    ) -> tf.Tensor:
        """The discriminator's scores [batch]; in float32 where it computes in less."""
        return _exact(self.discriminator(self._seen(images, draws), labels))

    def features(
        self, images: tf.Tensor, labels: tf.Tensor, draws: Draws = ()
    ) -> tf.Tensor:
        """What the discriminator scores, [batch, …]; as `judge`."""
        return _exact(self.discriminator.features(self._seen(images, draws), labels))

    def _seen(self, images: tf.Tensor, draws: Draws) -> tf.Tensor:
        return images if self.augmentation is None else self.augmentation(images, draws)

    def build(self, shape: tuple[int, ...]) -> None:
        """Tries what examples of a shape pass through, and builds the penalties.

        Call it once the networks are built, in the scope that trains them.

        Raises:
          ConfigurationError: for examples or networks that a part is not defined for.
        """
        if hasattr(self.objective, "require"):
            self.objective.require(self.discriminator)
        if self.augmentation is not None:
            draws = tf.zeros([2, self.augmentation.num_draws])
            self.augmentation(tf.zeros([2, *shape]), draws)
        networks = {player: getattr(self, player) for player in PLAYERS}
        for penalty in self.penalties:
            penalty.build(networks, shape)

    def advance_spectral_norms(self) -> None:
        """Advances both players' spectral-norm vectors; once per update, before it."""
        spectral_normalization.advance(self.discriminator)
        spectral_normalization.advance(self.generator)

    def advance(self, players: Sequence[str], metrics: Metrics) -> Metrics:
        """Moves what penalties and the augmentation keep; once per update, after it.

        Returns:
          The augmentation's metrics.
        """
        for penalty in self.penalties:
            penalty.advance(players, metrics)
        advance = getattr(self.augmentation, "advance", None)  # Not all keep anything.
        return dict(advance(players)) if advance else {}

    @property
    def kept(self) -> list[tf.Variable]:
        """What penalties and the augmentation keep from one update to the next."""
        own = [v for penalty in self.penalties for v in penalty.variables]
        return [*own, *getattr(self.augmentation, "variables", ())]

    def field(
        self,
        round_: Round,
        players: Sequence[str] = PLAYERS,
        others: Sequence[Round] = (),
    ) -> Field:
        """The field on this replica's part of a round, and of an update's others;
        `players` are to be updated.
        """
        return Field(self, round_, players, others=others)

    def play(
        self,
        round_: Round,
        players: Sequence[str] = PLAYERS,
        at: Weights | None = None,
    ) -> Played:
        """One latent step, one outer pass, and the gradient of each of `players`.

        Losses are divided by the number of replicas.

        Args:
          round_: this replica's part of the batch, or a micro-batch of it.
          players: whose gradients.
          at: the weights that the players have, differentiable as often as the
            networks are; those of a player that is not named are its own.

        Returns:
          What this replica contributes to the game's field.
        """
        with self._played_at(at) as weights:
            with tf.GradientTape(persistent=True) as inner:
                inner.watch(weights)
                move = self._move(round_)
            with tf.GradientTape(persistent=True) as outer:
                outer.watch((weights, move.latents))
                sample = self._sample(round_, move.latents, weights)
                losses, metrics = self._losses(sample, players)
            played = Played({}, {}, metrics | self._metrics(move, sample, players))
            for player, loss in losses.items():
                metrics = played.metrics
                metrics[f"{player}_loss"] = all_replicas(loss + move.regularizer)
                direct, cotangent, slope = outer.gradient(
                    loss,
                    (weights[player], move.latents, sample.fake_scores),
                    unconnected_gradients="zero",
                )
                if player == GENERATOR:
                    metrics["overshoot_fraction"] = move.overshoot(cotangent, slope)
                second_order = self.latent_rule.pulled_back(
                    player, move, cotangent, inner, weights[player]
                )
                played.gradients[player] = _sum(dense(direct), second_order)
                played.second_order[player] = second_order
        return played

    def loss(self, round_: Round, player: str, at: Weights | None = None) -> tf.Tensor:
        """A replica's share of a player's loss, its penalties and R_z included.

        Args:
          round_: as `play`.
          player: whose loss; its stops hold.
          at: as `play`; whoever differentiates watches them.
        """
        with self._played_at(at) as weights:
            move = self.latent_rule.as_seen_by(player, self._move(round_))
            sample = self._sample(round_, move.latents, weights)
            losses, _ = self._losses(sample, (player,))
            return losses[player] + move.regularizer

    @contextlib.contextmanager
    def _played_at(self, at: Weights | None) -> Iterator[Weights]:
        """The networks compute with these weights inside the context."""
        weights = self.weights() | (at or {})
        pairs = [
            pair
            for player in PLAYERS
            for pair in zip(self.variables(player), weights[player], strict=True)
        ]
        with keras.StatelessScope(pairs):
            yield weights

    def _move(self, round_: Round) -> Move:
        return self.latent_rule(
            round_.latents,
            lambda z: self.score(z, round_.fake_labels, round_.fake_draws),
        )

    def _sample(self, round_: Round, latents: tf.Tensor, weights: Weights) -> Sample:
        """The outer pass. What only the objective of another player reads is pruned."""
        fake = self.generator(latents, round_.fake_labels, training=True)
        return Sample(
            latents=round_.latents,
            real=round_.images,
            fake=fake,
            fake_scores=self.judge(fake, round_.fake_labels, round_.fake_draws),
            real_scores=self.judge(round_.images, round_.labels, round_.image_draws),
            labels=round_.labels,
            fake_labels=round_.fake_labels,
            real_draws=round_.image_draws,
            fake_draws=round_.fake_draws,
            judge=self.judge,
            features=self.features,
            networks={player: getattr(self, player) for player in PLAYERS},
            weights=weights,
        )

    def _losses(
        self, sample: Sample, players: Sequence[str]
    ) -> tuple[dict[str, tf.Tensor], Metrics]:
        """This replica's share of each loss but for R_z, and what is penalty in it."""
        objective = self.objective(sample.real_scores, sample.fake_scores)
        losses = {player: per_replica(getattr(objective, player)) for player in players}
        metrics: Metrics = {}
        for penalty in self.penalties:
            if penalty.player in players:
                share = per_replica(penalty(sample))
                losses[penalty.player] += share
                name = f"{penalty.name}_penalty"
                metrics[name] = metrics.get(name, 0.0) + all_replicas(share)
        return losses, metrics

    def _metrics(self, move: Move, sample: Sample, players: Sequence[str]) -> Metrics:
        metrics = self.latent_rule.metrics(move, sample.fake_scores)
        if DISCRIMINATOR in players:
            metrics["real_score"] = tf.reduce_mean(sample.real_scores)
            metrics["fake_score"] = tf.reduce_mean(sample.fake_scores)
        return metrics


def _exact(numbers: tf.Tensor) -> tf.Tensor:
    return tf.cast(numbers, tf.float32) if numbers.dtype.size < 4 else numbers


def _sum(direct: list[tf.Tensor], second_order: list[tf.Tensor]) -> list[tf.Tensor]:
    if not second_order:
        return direct
    return [a + b for a, b in zip(direct, second_order, strict=True)]
