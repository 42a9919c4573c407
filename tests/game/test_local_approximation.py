"""The error of eq. 26 against a closed form and finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import local_approximation
from logan_tf.game.game import PLAYERS, Game
from logan_tf.game.latent import LatentOptimizer
from logan_tf.game.latent_rule import LatentRule


class Scale(keras.Model):
    """x → Σ θ_j tanh(x_j), or as a generator x → θ x."""

    def __init__(self, weights, scores: bool) -> None:
        super().__init__()
        self.scores = scores
        self.theta = self.add_weight(shape=(len(weights),), initializer="zeros")
        self.theta.assign(weights)

    def call(self, x, labels=None, training=True):
        return (
            tf.linalg.matvec(tf.tanh(x), self.theta) if self.scores else x * self.theta
        )


def test_the_discriminators_error_is_the_closed_forms(float64):
    theta = np.array([0.5, -1.0, 2.0])
    game = Game(
        Scale([1.0, 1.0, 1.0], scores=False),
        Scale(theta, scores=True),
        latent_rule=LatentRule(
            LatentOptimizer(lambda g: 0.7 * g, fraction=0.67, bounds=None)
        ),
    )
    z = np.random.default_rng(0).uniform(-1, 1, (5, 3))
    found = local_approximation.errors(game, tf.constant(z), tf.zeros(5, tf.int32))
    slope = lambda z: 1 - np.tanh(z) ** 2  # noqa: E731
    moved = z + 0.7 * theta * slope(z) * [1, 1, 0]
    v = theta * slope(moved) * [1, 1, 0]
    before, after = (slope(z) * v).sum(0), (slope(moved) * v).sum(0)
    expected = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert expected > 0.1
    assert float(found["discriminator"]) == pytest.approx(expected, rel=1e-12)


def test_products_are_those_of_finite_differences(smooth, central_difference):
    pair, round_ = smooth
    game = Game(*pair)
    rng = np.random.default_rng(2)
    v = tf.constant(rng.normal(size=round_.latents.shape))
    found = local_approximation.products(game, round_.latents, None, v)
    for player in PLAYERS:
        variables = game.variables(player)
        along = [rng.normal(size=variable.shape) for variable in variables]

        def slope() -> float:
            step = 1e-5 * v
            up = game.score(round_.latents + step, None)
            down = game.score(round_.latents - step, None)
            return float(tf.reduce_sum(up - down)) / 2e-5

        expected = central_difference(slope, variables, along, h=1e-4)
        total = sum(
            np.sum(np.array(a) * d) for a, d in zip(found[player], along, strict=True)
        )
        assert total == pytest.approx(expected, rel=1e-5)


def test_nothing_is_wrong_where_nothing_moves(smooth):
    pair, round_ = smooth
    still = LatentOptimizer(lambda g: 0 * g)
    game = Game(*pair, latent_rule=LatentRule(still))
    found = local_approximation.errors(game, round_.latents, round_.fake_labels)
    assert all(error == 0 for error in found.values())
