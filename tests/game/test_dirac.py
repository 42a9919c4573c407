"""The Dirac-GAN: D = ψx, G = wz + θ with w = 1, data at 0 (logan.md; Mescheder 2018).

In continuous time the players follow −∇L_D and −∇L_G; the eigenvalues of that field's
Jacobian at the equilibrium decide whether they get there.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.game import DISCRIMINATOR, GENERATOR, PLAYERS, Game
from logan_tf.game.latent import (
    LatentOptimizer,
    gradient_step,
    natural_gradient_step,
)
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.objectives import wasserstein
from logan_tf.game.round import Round

_LATENTS = tf.constant([[-0.9], [-0.3], [0.3], [0.9]], tf.float64)  # Of mean 0.
_ROUND = Round(tf.zeros((4, 1), tf.float64), tf.zeros(4), _LATENTS, tf.zeros(4))


class _Generator(keras.Model):
    def __init__(self):
        super().__init__()
        self.theta = self.add_weight(shape=(), initializer="zeros", name="theta")

    def call(self, latents, labels=None, training=True):
        return latents + self.theta


class _Discriminator(keras.Model):
    def __init__(self):
        super().__init__()
        self.psi = self.add_weight(shape=(), initializer="zeros", name="psi")

    def call(self, images, labels=None):
        return self.psi * images[:, 0]


def _eigenvalues(step=None, **arguments):
    """Of the Jacobian of (ψ, θ) ↦ (−∂L_D/∂ψ, −∂L_G/∂θ) at (0, 0), sorted."""
    optimizer = LatentOptimizer(step, bounds=None) if step else None
    game = Game(
        _Generator(),
        _Discriminator(),
        objective=wasserstein,
        latent_rule=LatentRule(optimizer, **arguments),
    )
    parameters = game.discriminator.psi, game.generator.theta
    columns, h = [], 1e-5
    for parameter in parameters:
        fields = []
        for sign in (1, -1):
            parameter.assign(sign * h)
            gradients = game.play(_ROUND).gradients
            fields.append([-float(gradients[player][0]) for player in PLAYERS])
        parameter.assign(0.0)
        columns.append((np.array(fields[0]) - fields[1]) / (2 * h))
    return np.sort_complex(np.linalg.eigvals(np.transpose(columns)))


def _roots(b, c=1.0):
    """Of λ² + bλ + c."""
    return np.sort_complex(np.roots([1.0, b, c]).astype(complex))


def test_baseline_circles(float64):
    np.testing.assert_allclose(_eigenvalues(), [-1j, 1j], atol=1e-8)


@pytest.mark.parametrize("alpha", [0.2, 0.7, 1.5])
def test_gradient_step_damps(alpha, float64):
    root = np.sqrt(complex(alpha**2 - 1))
    expected = np.sort_complex([-alpha - root, -alpha + root])
    found = _eigenvalues(functools.partial(gradient_step, step_size=alpha))
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("alpha", [0.2, 0.7, 1.5])
def test_detached_in_the_discriminator_it_damps_half_as_much(alpha, float64):
    step = functools.partial(gradient_step, step_size=alpha)
    found = _eigenvalues(step, stop_gradient=(DISCRIMINATOR,))
    np.testing.assert_allclose(found, _roots(alpha), atol=1e-7)


def test_detached_in_the_generator_it_damps_as_before(float64):
    """Δz depends on ψ alone."""
    step = functools.partial(gradient_step, step_size=0.7)
    found = _eigenvalues(step, stop_gradient=(GENERATOR,))
    np.testing.assert_allclose(found, _roots(2 * 0.7), atol=1e-7)


@pytest.mark.parametrize(("alpha", "beta"), [(0.9, 5.0), (0.3, 0.5)])
@pytest.mark.parametrize("weight", [0.0, 0.1, 3.0])
def test_natural_step_with_regularizer(alpha, beta, weight, float64):
    step = functools.partial(natural_gradient_step, step_size=alpha, damping=beta)
    damping = 2 * (alpha / beta + weight * (alpha / beta) ** 2)
    found = _eigenvalues(step, regularizer_weight=weight)
    np.testing.assert_allclose(found, _roots(damping), atol=1e-6)


def test_regularizer_stopped_in_the_discriminator_damps_no_more(float64):
    step = functools.partial(natural_gradient_step, step_size=0.9, damping=1.5)
    for stop_regularizer, weight in ((True, 0.0), (False, 3.0)):
        found = _eigenvalues(
            step,
            regularizer_weight=3.0,
            stop_gradient=(DISCRIMINATOR,),
            stop_regularizer=stop_regularizer,
        )
        # The adversarial damping is halved, R_z's is kept or gone.
        expected = _roots(0.9 / 1.5 + 2 * weight * (0.9 / 1.5) ** 2)
        np.testing.assert_allclose(found, expected, atol=1e-6)
