"""Penalties beside the objective: on what they depend, who pays, and the stops."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.game import Game
from logan_tf.game.penalties.penalty import Penalty
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS

WEIGHT = 0.3


class SlopeOnReal(Penalty):
    """λ E‖∂f/∂x‖² at real images."""

    name, player, variables = "slope_on_real", DISCRIMINATOR, ()

    def __call__(self, sample):
        with tf.GradientTape() as tape:
            tape.watch(sample.real)
            scores = sample.judge(sample.real, sample.labels, sample.real_draws)
        slope = tape.gradient(scores, sample.real)
        return WEIGHT * tf.reduce_mean(tf.reduce_sum(slope**2, -1))


class SquaredScore(Penalty):
    """λ E f(z')², of either player: its derivative passes through z'."""

    name, variables = "squared_score", ()

    def __init__(self, player):
        self.player = player

    def __call__(self, sample):
        return WEIGHT * tf.reduce_mean(sample.fake_scores**2)


class Kept(Penalty):
    """Pays nothing, and counts its calls in a variable."""

    name, player = "kept", GENERATOR

    def __init__(self):
        self.count = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.variables = [self.count]

    def __call__(self, sample):
        self.count.assign_add(1)
        return tf.zeros_like(sample.fake_scores[0])


def _flat(vector):
    return np.concatenate([np.ravel(x) for p in sorted(vector) for x in vector[p]])


def _with(game, *penalties):
    game.penalties = penalties
    return game


def test_a_penalty_is_added_to_its_players_loss_and_gradient(
    smooth, settings, evaluate, central_difference
):
    pair, round_ = smooth
    free = evaluate(settings().game(pair), round_)
    paid = evaluate(_with(settings().game(pair), SlopeOnReal()), round_)
    penalty = float(paid.metrics["slope_on_real_penalty"])
    assert penalty > 0.01
    difference = paid.metrics["discriminator_loss"] - free.metrics["discriminator_loss"]
    assert float(difference) == pytest.approx(penalty, rel=1e-9)
    assert paid.metrics["generator_loss"] == free.metrics["generator_loss"]
    _same(paid, free, GENERATOR)
    discriminator = pair[1]

    def by_differences():
        """E‖∂f/∂x‖² with the slope by differences of the scores."""
        h, total = 1e-4, 0
        for axis in np.eye(3):
            up, down = (discriminator(round_.images + s * h * axis) for s in (1, -1))
            total += np.mean(((up - down) / (2 * h)) ** 2)
        return WEIGHT * total

    assert by_differences() == pytest.approx(penalty, rel=1e-6)
    rng = np.random.default_rng(0)
    kernel = discriminator.hidden.kernel
    along = rng.normal(size=kernel.shape)
    slope = central_difference(by_differences, [kernel], [along], h=1e-4)
    place = [v is kernel for v in discriminator.trainable_variables].index(True)
    more = paid.gradients[DISCRIMINATOR][place] - free.gradients[DISCRIMINATOR][place]
    assert float(np.sum(more * along)) == pytest.approx(slope, rel=1e-4)


def _same(found, expected, player):
    for a, b in zip(found.gradients[player], expected.gradients[player], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("stops", [(), PLAYERS])
@pytest.mark.parametrize("player", PLAYERS)
def test_a_penalty_passes_through_the_latents_move_unless_it_is_stopped(
    player, stops, smooth, settings
):
    """By one tape around all, with the stop in it."""
    pair, round_ = smooth
    settings = settings(stop_gradient=stops, stop_regularizer=True)
    paid = _with(settings.game(pair), SquaredScore(player)).field(round_)()
    free = settings.game(pair).field(round_)()
    game = settings.game(pair)
    variables = [v.value for v in game.variables(player)]
    with tf.GradientTape() as tape:
        moved = game.latent_rule.optimizer(
            round_.latents, lambda z: game.score(z, round_.fake_labels)
        ).latents
        seen = tf.stop_gradient(moved) if stops else moved
        penalty = WEIGHT * tf.reduce_mean(game.score(seen, round_.fake_labels) ** 2)
    expected = tape.gradient(penalty, variables, unconnected_gradients="zero")
    found = [a - b for a, b in zip(paid[player], free[player], strict=True)]
    largest = max(np.abs(x).max() for x in expected)
    assert largest > 1e-3
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12 + 1e-10 * largest)


def test_products_of_the_field_hold_penalties(smooth, settings):
    pair, round_ = smooth
    game = settings(alpha=0.05, objective="non_saturating").game(pair)
    field = _with(game, SlopeOnReal(), SquaredScore(GENERATOR)).field(round_)
    rng = np.random.default_rng(1)
    own = field.weights
    u, w = (
        {p: [tf.constant(rng.normal(size=x.shape)) for x in own[p]] for p in own}
        for _ in range(2)
    )
    along = field.along(u)
    ahead, behind = (field(weights.moved(own, u, sign * 1e-5)) for sign in (1, -1))
    expected = (_flat(ahead) - _flat(behind)) / 2e-5
    np.testing.assert_allclose(
        _flat(along), expected, atol=1e-7 * np.abs(expected).max()
    )
    left, right = weights.inner(w, along), weights.inner(field.transposed(w), u)
    assert float(left) == pytest.approx(float(right), rel=1e-10)


def test_only_the_penalties_of_who_plays_are_computed(smooth):
    pair, round_ = smooth
    kept = Kept()
    game = Game(*pair, penalties=[kept, SlopeOnReal()])
    assert "kept_penalty" not in game.play(round_, [DISCRIMINATOR]).metrics
    assert kept.count == 0
    metrics = game.play(round_, [GENERATOR]).metrics
    assert "slope_on_real_penalty" not in metrics
    assert metrics["kept_penalty"] == 0
    assert kept.count == 1
