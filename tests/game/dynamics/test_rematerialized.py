"""Dynamics over blocks that are computed again: third derivatives, the same numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.unrolled import Unrolled
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.objectives import non_saturating
from logan_tf.game.round import Round
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.rematerialization import rematerialized
from logan_tf.layers.spectral_normalization import SpectralDense


class Block(keras.layers.Layer):
    """Spectral norm, batch norm where it is asked for, tanh."""

    def __init__(self, norm):
        super().__init__()
        self.dense = SpectralDense(3)
        self.norm = BatchNormalization() if norm else None

    def build(self, shape):
        self.dense.build(shape)
        if self.norm:
            self.norm.build(shape)

    def call(self, x):
        x = self.dense(x)
        return tf.tanh(self.norm(x, training=True) if self.norm else x)


class Network(keras.Model):
    """A block, kept or computed again up to an order, and a dense layer."""

    def __init__(self, order, scores):
        super().__init__()
        self.order, self.scores = order, scores
        self.block, self.last = (
            Block(not scores),
            keras.layers.Dense(1 if scores else 3),
        )

    def call(self, x, labels=None, training=True):
        if self.order:
            x = rematerialized(self.block, x, order=self.order)
        else:
            x = self.block(x)
        x = self.last(x)
        return tf.squeeze(x, -1) if self.scores else x


def updates(order, make):
    """What dynamics return over LOGAN's natural step, flat."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, z = tf.constant(rng.normal(size=(2, 5, 3)))
    pair = Network(order, scores=False), Network(order, scores=True)
    pair[1](pair[0](z))
    optimizer = LatentOptimizer(
        lambda g: natural_gradient_step(g, 0.3, 0.1), bounds=None
    )
    game = Game(*pair, non_saturating, LatentRule(optimizer, 0.2))
    labels = tf.zeros(5, tf.int32)
    dynamics = make()
    dynamics.build(game.weights(), None)
    found = dynamics(game.field(Round(x, labels, z, labels)))
    return np.concatenate([np.ravel(w) for p in sorted(found) for w in found[p]])


@pytest.mark.parametrize("make", [lambda: Consensus(0.5), lambda: Unrolled(1, 0.1)])
def test_updates_are_those_of_kept_blocks(make, float64):
    """What else there is takes the same products; `tests/layers` has both of them."""
    kept = updates(0, make)
    np.testing.assert_allclose(updates(2, make), kept, rtol=0, atol=1e-12)
    assert np.abs(kept).max() > 1e-2
