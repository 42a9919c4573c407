"""Extragradient, consensus and unrolling, with a latent step and without.

Each is written here once more, in a few lines over `Field`, and both meet their closed
forms.

The games are Dirac-GANs with a critic of slope a: f(z) = aψ(z + θ), data at 0, latents
of mean 0. Without latent optimization v = a (θ, −ψ), the bilinear game; with a gradient
step of size α, z' = z + αaψ, so v = (aθ + 2αa²ψ, −aψ). Closed forms of the bilinear
game: Korpelevich 1976 (extragradient), Mescheder et al. 2017 (consensus), Metz et al.
2016 (unrolling), with s = ηa.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.unrolled import Unrolled
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.objectives import wasserstein
from logan_tf.game.replicas import summed
from logan_tf.game.round import Round
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS

ALPHAS = [0.0, 0.7]
RATES = [0.1, 0.6]
SLOPE = 1.5  # a
written = pytest.mark.parametrize("here", [True, False])
_LATENTS = tf.constant([[-0.9], [-0.3], [0.3], [0.9]], tf.float64)
_ROUND = Round(tf.zeros((4, 1), tf.float64), tf.zeros(4), _LATENTS, tf.zeros(4))


def extragradient(field, rate):
    return field(weights.moved(field.weights, field(), -rate))


def consensus(field, gamma):
    v = field()
    return weights.moved(v, field.transposed(v), gamma)


def unrolled(field, steps, rate):
    ahead = own = field.weights
    with tf.GradientTape() as tape:
        tape.watch(own[GENERATOR])
        for _ in range(steps):
            slope = field(ahead, players=[DISCRIMINATOR])
            ahead = weights.moved(ahead, slope, -rate)
        loss = field.loss(GENERATOR, ahead)
    gradient = summed(tape.gradient(loss, own[GENERATOR]))
    return field(players=[DISCRIMINATOR]) | {GENERATOR: gradient}


class Generator(keras.Model):
    def __init__(self):
        super().__init__()
        self.theta = self.add_weight(shape=(), initializer="zeros", name="theta")

    def call(self, latents, labels=None, training=True):
        return latents + self.theta


class Discriminator(keras.Model):
    def __init__(self):
        super().__init__()
        self.psi = self.add_weight(shape=(), initializer="zeros", name="psi")

    def call(self, images, labels=None):
        return SLOPE * self.psi * images[:, 0]


@pytest.fixture
def update(float64):
    """(α, dynamics, η) → the matrix of one update of (ψ, θ), column by column."""

    def matrix(alpha, dynamics, rate):
        step = functools.partial(gradient_step, step_size=alpha)
        rule = LatentRule(LatentOptimizer(step, bounds=None)) if alpha else None
        game = Game(Generator(), Discriminator(), wasserstein, rule)
        parameters = game.discriminator.psi, game.generator.theta
        columns = []
        for start in np.eye(2):
            for parameter, value in zip(parameters, start, strict=True):
                parameter.assign(value)
            if hasattr(dynamics, "build"):
                ahead = functools.partial(weights.moved, game.weights(), by=-rate)
                dynamics.build(game.weights(), ahead)
            found = dynamics(game.field(_ROUND))
            columns.append(start - rate * np.array([found[p][0] for p in PLAYERS]))
        return np.transpose(columns)

    return matrix


def jacobian(alpha):
    return np.array([[2 * alpha * SLOPE**2, SLOPE], [-SLOPE, 0.0]])


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


@written
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_extragradient(alpha, rate, here, update):
    by_hand = functools.partial(extragradient, rate=rate)
    found = update(alpha, by_hand if here else Extragradient(), rate)
    j = jacobian(alpha)
    expected = np.eye(2) - rate * j @ (np.eye(2) - rate * j)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    if not alpha:
        s = rate * SLOPE
        expected = np.sqrt(1 - s**2 + s**4)
        assert radius(found) == pytest.approx(expected, abs=1e-10)


@written
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_consensus(alpha, rate, here, update):
    gamma = 0.4
    by_hand = functools.partial(consensus, gamma=gamma)
    found = update(alpha, by_hand if here else Consensus(gamma), rate)
    j = jacobian(alpha)
    expected = np.eye(2) - rate * (j + gamma * j.T @ j)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    if not alpha:
        s = rate * SLOPE
        square = (1 - rate * gamma * SLOPE**2) ** 2 + s**2
        assert radius(found) ** 2 == pytest.approx(square, abs=1e-10)


@written
@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_unrolling(alpha, rate, steps, here, update):
    """ψ_K = p ψ − q θ with p = (1 − 2αa²h)^K, q = ah Σ_k (1 − 2αa²h)^k."""
    h = 0.05
    by_hand = functools.partial(unrolled, steps=steps, rate=h)
    found = update(alpha, by_hand if here else Unrolled(steps, h), rate)
    shrinks = 1 - 2 * alpha * SLOPE**2 * h
    p, q = shrinks**steps, SLOPE * h * sum(shrinks**k for k in range(steps))
    ahead = np.array([p, -q])  # ψ_K as a row over (ψ, θ)
    theta = np.array([0.0, 1.0])
    # L_G = −aψ_Kθ − αa²ψ_K², and dψ_K/dθ = −q.
    of_generator = -SLOPE * ahead + q * (SLOPE * theta + 2 * alpha * SLOPE**2 * ahead)
    expected = np.eye(2) - rate * np.stack([jacobian(alpha)[0], of_generator])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    if not alpha:
        determinant = 1 - 2 * rate * steps * h * SLOPE**2 + (rate * SLOPE) ** 2
        assert np.linalg.det(found) == pytest.approx(determinant, abs=1e-10)
