"""The game in mixed bfloat16 beside float32: LOGAN's second-order gradient, too."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.game import PLAYERS, Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.round import Round
from logan_tf.networks import mlp, sngan

_BATCH, _DIM = 32, 8


def _game(networks) -> Game:
    step = functools.partial(natural_gradient_step, step_size=0.9, damping=0.1)
    optimizer = LatentOptimizer(step, fraction=0.75)
    return Game(*networks, latent_rule=LatentRule(optimizer, 0.1))


def _sngan():
    return sngan.Generator(16, 3, 8, _DIM), sngan.Discriminator(16, 3, 8)


def _mlp():
    return mlp.Generator(_DIM, (16, 16)), mlp.Discriminator((16, 16))


def _round(rng) -> Round:
    """Pictures that are smooth from row to row, so that D has something to learn."""
    images = np.clip(np.cumsum(rng.normal(0, 0.3, (_BATCH, 16, 16, 3)), 1), -1, 1)
    labels = tf.zeros(_BATCH, tf.int32)
    latents = rng.uniform(-1, 1, (_BATCH, _DIM))
    return Round(
        tf.constant(images, tf.float32),
        labels,
        tf.constant(latents, tf.float32),
        labels,
    )


def _built(networks):
    """The networks with all their variables."""
    generator, discriminator = networks
    discriminator(generator(tf.zeros([2, _DIM])))
    return networks


@pytest.fixture
def two_precisions(request):
    """(network factory) → games of float32 and of mixed bfloat16."""

    def make(networks):
        keras.utils.set_random_seed(0)
        exact = _game(_built(networks()))
        request.getfixturevalue("mixed_bfloat16")
        return exact, _game(_built(networks()))

    return make


def _copy(source: Game, target: Game) -> None:
    for name in PLAYERS:
        pairs = zip(
            getattr(source, name).variables,
            getattr(target, name).variables,
            strict=True,
        )
        for variable, copied in pairs:
            copied.assign(variable)


def _flat(gradient) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in gradient])


def _agreement(exact, rounded, player) -> tuple[float, float]:
    """Cosine of a player's two gradients, and the ratio of their norms."""
    a, b = (_flat(outcome.gradients[player]) for outcome in (exact, rounded))
    norms = np.linalg.norm(a), np.linalg.norm(b)
    return a @ b / np.prod(norms), norms[1] / norms[0]


def test_second_order_gradients_are_those_of_float32(two_precisions, evaluate):
    """Before training the generator's is less alike: rounding turns the signs of its
    ReLUs over, and neither its samples nor their gradients differ by much more yet. Its
    cosine is then that of the CPU's kernels: .951 with AVX-512, .949 without.
    """
    exact, rounded = two_precisions(_sngan)
    play = [tf.function(functools.partial(evaluate, game)) for game in (exact, rounded)]
    rng = np.random.default_rng(0)
    optimizers = {player: keras.optimizers.Adam(1e-3, beta_1=0.5) for player in PLAYERS}
    for step in range(16):
        exact.advance_spectral_norms()
        round_ = _round(rng)
        of_float32 = play[0](round_)
        if step in (0, 15):
            _copy(exact, rounded)
            of_bfloat16 = play[1](round_)
            for player in PLAYERS:
                assert of_float32.metrics[f"{player}_second_order_share"] > 0.05
                cosine, ratio = _agreement(of_float32, of_bfloat16, player)
                least = 0.94 if (step, player) == (0, "generator") else 0.99
                assert cosine > least, (step, player)
                assert 0.95 < ratio < 1.05, (step, player)
        for player, optimizer in optimizers.items():
            optimizer.apply(of_float32.gradients[player], exact.variables(player))


@pytest.mark.parametrize("networks", [_sngan, _mlp])
def test_what_the_game_sees_is_float32(networks, two_precisions):
    _, game = two_precisions(networks)
    latents = tf.random.stateless_uniform([_BATCH, _DIM], (0, 0), -1, 1)
    images = game.generator(latents)
    layers = game.generator._flatten_layers(include_self=False)
    assert "bfloat16" in {layer.compute_dtype for layer in layers}
    assert images.dtype == game.discriminator(images).dtype == tf.float32
    round_ = Round(images, tf.zeros(_BATCH, tf.int32), latents, tf.zeros(_BATCH))
    outcome = game.play(round_)
    for player in PLAYERS:
        assert {variable.dtype for variable in game.variables(player)} == {"float32"}
        assert {part.dtype for part in outcome.gradients[player]} == {tf.float32}
    assert {value.dtype for value in outcome.metrics.values()} == {tf.float32}


def test_a_step_below_the_precision_of_bfloat16_is_seen(two_precisions):
    """Beside z = .625 bfloat16 rounds Δz = 1e-4 away; the first layer sees float32."""
    _, game = two_precisions(_sngan)
    drawn = np.random.default_rng(0).integers(-2, 3, (_BATCH, _DIM))
    latents = tf.constant(drawn / 4 + 0.125, tf.float32)
    moved = game.score(latents + 1e-4, None) - game.score(latents, None)
    assert np.any(moved)
