"""Zero-centred gradient penalties on the Dirac-GAN, against their closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import objectives
from logan_tf.game.game import Game
from logan_tf.game.penalties.zero_centred import R1, R2
from logan_tf.game.round import Round
from logan_tf.game.weights import PLAYERS


class DiracGenerator(keras.Model):
    """All its points are θ."""

    def build(self, _):
        self.theta = self.add_weight(shape=(), initializer="zeros")

    def call(self, latents, labels=None, training=True):
        return tf.zeros_like(latents[:, :1]) + self.theta


class DiracDiscriminator(keras.Model):
    """D(x) = ψ x."""

    def build(self, _):
        self.psi = self.add_weight(shape=(), initializer="zeros")

    def call(self, images, labels=None):
        return self.psi * images[:, 0]


@pytest.mark.parametrize(
    ("penalties", "damping"),
    [((), 0), ((R1(0.6),), 0.6), ((R2(0.6),), 0.6), ((R1(0.6), R2(0.6)), 1.2)],
)
def test_eigenvalues_of_the_dirac_gan(penalties, damping, float64):
    """−s/2 ± √(s²/4 − ¼) at the equilibrium, s the sum of γ (Mescheder et al. 2018)."""
    pair = DiracGenerator(), DiracDiscriminator()
    latents = tf.constant(np.random.default_rng(0).normal(size=(3, 2)))
    labels = tf.zeros([3], tf.int32)
    pair[1](pair[0](latents))
    game = Game(*pair, objectives.non_saturating, penalties=penalties)
    field = game.field(Round(tf.zeros([3, 1], tf.float64), labels, latents, labels))
    one, zero = [tf.ones([], tf.float64)], [tf.zeros([], tf.float64)]
    columns = []
    for u in ((one, zero), (zero, one)):
        along = field.along(dict(zip(PLAYERS, u, strict=True)))
        columns.append([float(along[player][0]) for player in PLAYERS])
    found = np.linalg.eigvals(-np.transpose(columns))
    root = np.sqrt(complex(damping**2 / 4 - 0.25))
    expected = [-damping / 2 + root, -damping / 2 - root]
    np.testing.assert_allclose(
        np.sort_complex(found), np.sort_complex(expected), atol=1e-12
    )
