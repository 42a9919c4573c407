"""Where dynamics look ahead, Keras's Adam makes of them the Adam forms of their papers.

Oracles in NumPy: Gidel et al. 2018, Alg. 4, and Daskalakis et al. 2018, Alg. 1, as
their iterates are written there. Keras adds ε to the root before bias correction.
"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.extrapolation_from_the_past import (
    ExtrapolationFromThePast,
)
from logan_tf.game.dynamics.optimistic import Optimistic
from logan_tf.game.round import Round
from logan_tf.game.weights import PLAYERS
from logan_tf.training.step import TrainStep

RATE, BETAS, EPSILON, STEPS = 0.02, (0.5, 0.9), 0.01, 4


class Adam:
    """A step of Adam on flat weights, with its moments."""

    def __init__(self):
        self.first = self.second = self.count = 0

    def __call__(self, gradient):
        self.count += 1
        self.first = BETAS[0] * self.first + (1 - BETAS[0]) * gradient
        self.second = BETAS[1] * self.second + (1 - BETAS[1]) * gradient**2
        one, two = (1 - beta**self.count for beta in BETAS)
        step = RATE * np.sqrt(two) / one
        return step * self.first / (np.sqrt(self.second) + EPSILON)


def extra_adam(omega, fields):
    adam = Adam()
    for v in fields:
        ahead = omega - adam(v(omega))
        omega = omega - adam(v(ahead))
        yield omega


def extra_adam_from_the_past(omega, fields):
    adam, past = Adam(), np.zeros_like(omega)
    for v in fields:
        past = v(omega - adam(past))
        omega = omega - adam(past)
        yield omega


def optimistic_adam(omega, fields):
    adam, before = Adam(), 0.0
    for v in fields:
        step = adam(v(omega))
        omega = omega - 2 * step + before
        before = step
        yield omega


def seen_ahead(rows):
    """ω_{t+1} = 2 z_{t+1} − z_t of the weights z."""
    return [2 * after - before for before, after in itertools.pairwise(rows)]


def _flat(weights):
    return np.concatenate([np.ravel(w) for p in PLAYERS for w in weights[p]])


def _like(flat, weights):
    """A flat vector in the shapes of the players' weights."""
    shapes = [w.shape for p in PLAYERS for w in weights[p]]
    parts = np.split(flat, np.cumsum([s.num_elements() for s in shapes])[:-1])
    tensors = iter(
        tf.constant(np.reshape(part, shape), tf.float32)
        for part, shape in zip(parts, shapes, strict=True)
    )
    return {player: [next(tensors) for _ in weights[player]] for player in PLAYERS}


@pytest.mark.parametrize(
    ("dynamics", "oracle", "seen"),
    [
        (Extragradient, extra_adam, lambda rows: rows[1:]),
        (ExtrapolationFromThePast, extra_adam_from_the_past, lambda rows: rows[1:]),
        (Optimistic, optimistic_adam, seen_ahead),
    ],
)
def test_the_adam_form_is_that_of_the_paper(dynamics, oracle, seen, toy):
    def adam():
        return keras.optimizers.Adam(RATE, *BETAS, epsilon=EPSILON)

    experiment = toy(adam, dynamics=dynamics())
    game = experiment.game
    step = TrainStep(experiment, tf.distribute.get_strategy())
    rows, fields = [_flat(game.weights())], []

    def field(round_):
        own = game.weights()
        return lambda at: _flat(game.field(round_)(_like(at, own)))

    expected = oracle(rows[0].astype(np.float64), fields)
    for batch in experiment.batches().take(STEPS):
        step.one_step(batch)
        rows.append(_flat(game.weights()))
        # The spectral-norm vectors are those of this step until the next one.
        fields.append(field(Round.of(batch, 0)))
        found = seen(rows)[-1]
        np.testing.assert_allclose(found, next(expected), rtol=1e-4, atol=2e-6)
    assert np.abs(rows[-1] - rows[0]).max() > RATE


def test_a_look_ahead_obeys_constraints_and_is_taken_back(toy):
    experiment = toy()
    game = experiment.game
    for variable in game.variables("discriminator"):
        variable._constraint = lambda w: tf.clip_by_value(w, -0.01, 0.01)
    before = _flat(game.weights())
    gradients = game.field(Round.of(next(iter(experiment.batches())), 0))()
    ahead = experiment.optimization.ahead(gradients)
    assert max(np.abs(w).max() for w in ahead["discriminator"]) <= np.float32(0.01)
    assert np.abs(_flat(ahead) - before).max() > 0.01
    np.testing.assert_array_equal(_flat(game.weights()), before)
    assert {int(o.iterations) for o in experiment.optimizers.values()} == {1}


def test_the_second_gradient_may_be_of_a_batch_of_its_own(toy):
    """A step takes two rounds: it looks ahead by the first and goes by the second."""

    def adam():
        return keras.optimizers.Adam(RATE, *BETAS, epsilon=EPSILON)

    experiment = toy(adam, dynamics=Extragradient(fresh_batch=True))
    game, start = experiment.game, _flat(experiment.game.weights())
    (batch,) = experiment.batches().take(1)
    assert batch.images.shape[1] == batch.latents.shape[1] == 2
    own = game.weights()
    TrainStep(experiment, tf.distribute.get_strategy()).one_step(batch)
    found = _flat(game.weights())
    v, other = (
        lambda at, k=k: _flat(game.field(Round.of(batch, k))(_like(at, own)))
        for k in (0, 1)
    )
    adams = Adam(), Adam()
    ahead = start - adams[0](v(start))
    adams[1](v(start))
    np.testing.assert_allclose(
        found, start - adams[1](other(ahead)), rtol=1e-4, atol=2e-6
    )
    adams[0].count = 1  # With the first batch again it is another step.
    assert np.abs(found - (start - adams[0](v(ahead)))).max() > 1e-3
