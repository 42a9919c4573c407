"""Dynamics over latent optimization, through batch norm and spectral norm, in float64.

The closed rule of each, with J of finite differences of v: what a dynamics returns has
third derivatives of the networks in it.
"""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.dynamics.competitive import CompetitiveGradientDescent
from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.follow_the_ridge import FollowTheRidge
from logan_tf.game.dynamics.nagarajan_kolter import NagarajanKolter
from logan_tf.game.dynamics.symplectic import SymplecticGradientAdjustment
from logan_tf.game.dynamics.unrolled import Unrolled
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS
from logan_tf.layers.weight_clipping import WeightClipping

RULES = [pytest.param("gradient", marks=pytest.mark.slow), "natural"]
H, ETA, WEIGHT, STEPS = 1e-4, 0.1, 0.4, 2


class Measured:
    """A game of flat weights, discriminator's first: v, losses and J by differences."""

    def __init__(self, game, round_):
        self.game, self.round = game, round_
        self.own = game.weights()
        self.start = self.flat(self.own)
        self.num_first = sum(w.shape.num_elements() for w in self.own[DISCRIMINATOR])
        self._field = tf.function(lambda at: game.field(round_)(at))
        self._loss = tf.function(lambda at: game.field(round_).loss(GENERATOR, at))
        self.v = self.field(self.start)
        self.jacobian = np.transpose(
            [self.slope(self.field, unit) for unit in np.eye(self.start.size)]
        )

    def flat(self, vector):
        return np.concatenate([np.ravel(w) for p in PLAYERS for w in vector[p]])

    def shaped(self, flat):
        like = [w for p in PLAYERS for w in self.own[p]]
        parts = np.split(flat, np.cumsum([w.shape.num_elements() for w in like]))
        rest = iter(
            tf.constant(np.reshape(part, w.shape))
            for part, w in zip(parts, like, strict=False)
        )
        return {player: [next(rest) for _ in self.own[player]] for player in PLAYERS}

    def field(self, at):
        return self.flat(self._field(self.shaped(at)))

    def loss(self, at):
        return float(self._loss(self.shaped(at)))

    def slope(self, function, along):
        """A central difference of fourth order."""
        ahead, behind, far, back = (
            function(self.start + step * H * along) for step in (1, -1, 2, -2)
        )
        return (8 * (ahead - behind) - (far - back)) / (12 * H)

    def update(self, dynamics):
        """What the dynamics return."""
        dynamics.build(self.own, lambda v: weights.moved(self.own, v, -ETA))
        return self.flat(dynamics(self.game.field(self.round)))

    def parts(self, vector):
        return vector[: self.num_first], vector[self.num_first :]


@pytest.fixture(params=RULES)
def measured(request, smooth, settings):
    pair, round_ = smooth
    # So small steps that no latent is clipped, by either rule.
    own = settings(
        natural=request.param == "natural", alpha=0.05, objective="non_saturating"
    )
    return Measured(own.game(pair), round_)


def consensus(game):
    return game.v + WEIGHT * game.jacobian.T @ game.v


def symplectic(game):
    return game.v + WEIGHT / 2 * (game.jacobian.T - game.jacobian) @ game.v


def nagarajan_kolter(game):
    n = game.num_first
    found = game.v.copy()
    found[n:] += 2 * WEIGHT * game.jacobian[:n, n:].T @ game.v[:n]
    return found


def extragradient(game):
    return game.field(game.start - ETA * game.v)


def unrolled(game, limit=np.inf):
    """Differences of the generator's loss after the discriminator's steps in a box."""
    n = game.num_first

    def loss(at):
        at = at.copy()
        for _ in range(STEPS):
            at[:n] = np.clip(at[:n] - ETA * game.field(at)[:n], -limit, limit)
        return game.loss(at)

    found = game.v.copy()
    for index in range(n, game.start.size):
        found[index] = game.slope(loss, np.eye(game.start.size)[index])
    return found


def competitive(game):
    n = game.num_first
    coupling = game.jacobian.copy()
    coupling[:n, :n] = coupling[n:, n:] = 0
    return np.linalg.solve(np.eye(game.start.size) + ETA * coupling, game.v)


def follow_the_ridge(game):
    n, j = game.num_first, game.jacobian
    inverse = np.linalg.solve(j[:n, :n].T @ j[:n, :n] + 1.0 * np.eye(n), j[:n, :n].T)
    of_d, of_g = game.parts(game.v)
    total = of_g - j[n:, :n] @ inverse @ of_d
    return np.concatenate([of_d - inverse @ j[:n, n:] @ total, total])


def test_updates_are_their_rules_with_a_measured_jacobian(measured):
    """One test: the Jacobian is what takes time."""
    compare(
        measured,
        (Consensus(WEIGHT), consensus, 1e-8),
        (SymplecticGradientAdjustment(WEIGHT), symplectic, 1e-8),
        (NagarajanKolter(WEIGHT), nagarajan_kolter, 1e-8),
        (Extragradient(), extragradient, 1e-12),
    )


@pytest.mark.slow
def test_updates_of_many_products_are_their_rules(measured):
    compare(
        measured,
        (Unrolled(STEPS, ETA), unrolled, 1e-7),
        (CompetitiveGradientDescent(ETA, 8, tolerance=0.0), competitive, 1e-7),
        (FollowTheRidge(1.0, 8, tolerance=0.0, damping=1.0), follow_the_ridge, 1e-4),
    )
    free = measured.update(Unrolled(STEPS, ETA))
    limit = np.median(np.abs(measured.start[: measured.num_first]))
    for variable in measured.game.variables(DISCRIMINATOR):
        variable.constraint = WeightClipping(limit)
    compare(measured, (Unrolled(STEPS, ETA), partial(unrolled, limit=limit), 1e-7))
    assert np.abs(measured.update(Unrolled(STEPS, ETA)) - free).max() > 1e-3


def compare(measured, *cases):
    """Each of (dynamics, its rule, how much of the change they may differ by)."""
    for dynamics, rule, tolerance in cases:
        found, expected = measured.update(dynamics), rule(measured)
        # Of what the dynamics add to v, of which the parts are of many sizes.
        change = np.abs(expected - measured.v).max()
        assert change > 1e-4
        error = np.abs(found - expected).max() / change
        assert error < tolerance, type(dynamics).__name__
