"""Small games in float64, and the same game played on one tape."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import objectives
from logan_tf.game.field import Metrics
from logan_tf.game.game import Game
from logan_tf.game.latent import (
    LatentOptimizer,
    gradient_step,
    natural_gradient_step,
)
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.round import Round
from logan_tf.game.weights import PLAYERS, Weights
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.spectral_normalization import SpectralDense
from logan_tf.networks import biggan_deep, sngan

LATENT_DIM = 6


class SmoothGenerator(keras.Model):
    """Latents → batch norm → tanh → points [batch, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.project = keras.layers.Dense(5)
        self.normalize = BatchNormalization()
        self.points = keras.layers.Dense(3)

    def call(self, latents, labels=None, training=True):
        x = self.normalize(self.project(latents), training=training)
        return self.points(tf.tanh(x))


class SmoothDiscriminator(keras.Model):
    """Points → spectral norm → tanh → scores [batch] on both sides of ±1."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = SpectralDense(5)
        self.score = SpectralDense(1)

    def call(self, images, labels=None):
        return 3 * tf.squeeze(self.score(self.features(images)), -1)

    def features(self, images, labels=None):
        return tf.tanh(self.hidden(images))


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a game is played, for `Game` and for `PlainGame`."""

    natural: bool = True
    alpha: float = 0.9
    damping: float = 0.1
    fraction: float = 0.7
    num_steps: int = 1
    regularizer_weight: float = 0.4
    objective: str = "hinge"
    stop_gradient: tuple[str, ...] = ()
    stop_regularizer: bool = False

    def game(self, pair: tuple[keras.Model, keras.Model]) -> Game:
        def step(gradient):
            if self.natural:
                return natural_gradient_step(gradient, self.alpha, self.damping)
            return gradient_step(gradient, self.alpha)

        return Game(
            *pair,
            objective=getattr(objectives, self.objective),
            latent_rule=LatentRule(
                LatentOptimizer(step, self.fraction, self.num_steps),
                self.regularizer_weight,
                self.stop_gradient,
                self.stop_regularizer,
            ),
        )


@dataclasses.dataclass
class Played:
    """What `PlainGame` gives."""

    losses: dict[str, tf.Tensor]
    latents: tf.Tensor
    delta: tf.Tensor
    regularizer: tf.Tensor
    before: tf.Tensor
    real: tf.Tensor
    fake: tf.Tensor


class PlainGame:
    """Eq. 5 literally: one tape around all, and whoever wants it differentiates."""

    def __init__(self, pair, settings: Settings) -> None:
        self.pair = dict(zip(("generator", "discriminator"), pair, strict=True))
        self.settings = settings

    def play(self, round_: Round) -> Played:
        settings = self.settings

        def score(latents):
            images = self.pair["generator"](latents, round_.fake_labels)
            return self.pair["discriminator"](images, round_.fake_labels)

        dim = round_.latents.shape[-1]
        mask = np.arange(dim) < round(settings.fraction * dim)
        latents, delta = round_.latents, tf.zeros_like(round_.latents)
        before = score(latents)
        for _ in range(settings.num_steps):
            with tf.GradientTape() as tape:
                tape.watch(latents)
                total = tf.reduce_sum(score(latents))
            step = settings.alpha * tape.gradient(total, latents) * mask
            if settings.natural:
                gradient = step / settings.alpha if settings.alpha else step
                squares = tf.reduce_sum(gradient**2, -1, keepdims=True)
                step = step / (settings.damping + squares)
            clipped = tf.minimum(tf.maximum(latents + step, -1.0), 1.0)
            latents, delta = tf.where(mask, clipped, latents), delta + step
        regularizer = settings.regularizer_weight * tf.reduce_mean(
            tf.reduce_sum(delta**2, -1)
        )
        real = self.pair["discriminator"](round_.images, round_.labels)
        losses = {}
        for player in ("discriminator", "generator"):
            seen, paid = latents, regularizer
            if player in settings.stop_gradient:
                seen = tf.stop_gradient(latents)
                if settings.stop_regularizer:
                    paid = tf.stop_gradient(regularizer)
            losses[player] = self._loss(player, real, score(seen)) + paid
        fake = score(latents)
        return Played(losses, latents, delta, regularizer, before, real, fake)

    def gradients(self, round_: Round) -> dict[str, list[np.ndarray]]:
        """Each player's gradient of its own loss."""
        with tf.GradientTape(persistent=True) as tape:
            played = self.play(round_)
        return {
            player: [
                np.array(gradient)
                for gradient in tape.gradient(
                    played.losses[player],
                    [v.value for v in self.pair[player].trainable_variables],
                    unconnected_gradients="zero",
                )
            ]
            for player in played.losses
        }

    def _loss(self, player, real, fake):
        if self.settings.objective == "hinge":
            if player == "generator":
                return -tf.reduce_mean(fake)
            return tf.reduce_mean(tf.maximum(1 - real, 0)) + tf.reduce_mean(
                tf.maximum(1 + fake, 0)
            )
        if player == "generator":
            return -tf.reduce_mean(tf.math.log(tf.sigmoid(fake)))
        return -tf.reduce_mean(
            tf.math.log(tf.sigmoid(real)) + tf.math.log(1 - tf.sigmoid(fake))
        )


@pytest.fixture(scope="session")
def settings() -> type[Settings]:
    return Settings


class Evaluated(NamedTuple):
    """What a field gives at the players' own weights."""

    gradients: Weights
    metrics: Metrics


@pytest.fixture(scope="session")
def evaluate() -> Callable[..., Evaluated]:
    """(game, round, players) → the gradients and the metrics of its field."""

    def evaluate(game, round_, players=PLAYERS) -> Evaluated:
        field = game.field(round_, players)
        gradients = field()
        return Evaluated(gradients, field.metrics)

    return evaluate


@pytest.fixture(scope="session")
def plain_game() -> type[PlainGame]:
    return PlainGame


def _built(pair, shape: tuple[int, ...], batch: int):
    """The pair with weights that are not neutral, and a round for it."""
    rng = np.random.default_rng(0)
    round_ = Round(
        tf.constant(rng.normal(0, 1, (batch, *shape))),
        tf.range(batch) % 3,
        tf.constant(rng.uniform(-1, 1, (batch, LATENT_DIM))),
        (tf.range(batch) + 1) % 3,
    )
    labels = round_.fake_labels
    pair[1](pair[0](round_.latents, labels), labels)
    for variable in (v for network in pair for v in network.trainable_variables):
        if len(variable.shape) < 2:
            variable.assign_add(0.3 * rng.normal(size=variable.shape))
    return pair, round_


@pytest.fixture
def smooth(float64):
    """((generator, discriminator), round) of the two smooth networks."""
    keras.utils.set_random_seed(0)
    return _built((SmoothGenerator(), SmoothDiscriminator()), (3,), 12)


@pytest.fixture
def small_sngan(float64):
    """((generator, discriminator), round) of SN-GAN at 16×16 and width 2."""
    keras.utils.set_random_seed(0)
    networks = (
        sngan.Generator(16, 1, 2, LATENT_DIM),
        sngan.Discriminator(16, 1, 2),
    )
    return _built(networks, (16, 16, 1), 4)


@pytest.fixture
def small_biggan(float64):
    """((generator, discriminator), round) of a conditional BigGAN-deep at 16×16."""
    keras.utils.set_random_seed(0)
    settings = {"num_classes": 3, "slope": 0.2, "attention_size": 8}
    networks = (
        biggan_deep.Generator(
            16, 1, 4, LATENT_DIM, embedding_dim=2, blocks_per_stage=1, **settings
        ),
        biggan_deep.Discriminator(16, 1, 4, blocks_per_stage=1, **settings),
    )
    return _built(networks, (16, 16, 1), 4)


@pytest.fixture(scope="session")
def assert_same_gradients() -> Callable:
    """Compares {player: gradients}; tolerance relative to the largest entry."""

    def check(found, expected, tolerance: float = 1e-9) -> None:
        assert found.keys() == expected.keys()
        for player in expected:
            largest = max(np.abs(g).max() for g in expected[player])
            for a, b in zip(found[player], expected[player], strict=True):
                np.testing.assert_allclose(a, b, atol=tolerance * largest)

    return check
