"""Training steps against the same steps taken by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.game import PLAYERS, Round
from logan_tf.game.updates import Alternating, Simultaneous
from logan_tf.training.step import TrainStep

STRATEGY = tf.distribute.get_strategy()
RATE = 0.05


def sgd():
    return keras.optimizers.SGD(RATE)


def run(experiment, calls):
    """Steps of these numbers a call; the metrics of all."""
    step = TrainStep(experiment, STRATEGY)
    batches = iter(STRATEGY.experimental_distribute_dataset(experiment.batches()))
    rows = [step.run(batches, number) for number in calls]
    assert int(step.step) == sum(calls)
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("schedule", [Simultaneous(), Alternating(2)])
def test_equals_steps_by_hand(schedule, toy, state):
    """SGD in NumPy; the game is the same, its gradients are tested elsewhere."""
    experiment = toy(optimizer=sgd, schedule=schedule)
    metrics = run(experiment, [3])
    by_hand = toy(optimizer=sgd, schedule=schedule)
    game = by_hand.game
    losses = {player: [] for player in PLAYERS}
    norms = {player: [] for player in PLAYERS}
    for batch in by_hand.batches().take(3):
        turns = (
            [PLAYERS]
            if isinstance(schedule, Simultaneous)
            else [["discriminator"], ["discriminator"], ["generator"]]
        )
        for turn, players in enumerate(turns):
            real = min(turn, 1) if len(turns) > 1 else 0
            game.advance_spectral_norms()
            gradients, found = game.play(
                Round(
                    batch.images[:, real],
                    batch.labels[:, real],
                    batch.latents[:, turn],
                    batch.fake_labels[:, turn],
                ),
                players,
            )
            for player in players:
                moves = [RATE * gradient.numpy() for gradient in gradients[player]]
                for variable, move in zip(game.variables(player), moves, strict=True):
                    variable.assign(variable.numpy() - move)
                norms[player].append(np.sqrt(sum((move**2).sum() for move in moves)))
                losses[player].append(float(found[f"{player}_loss"]))
    each = len(losses["discriminator"]) // 3
    for player, every in (("discriminator", each), ("generator", 1)):
        last = slice(every - 1, None, every)
        np.testing.assert_allclose(
            metrics[f"{player}_loss"], losses[player][last], rtol=1e-4
        )
        np.testing.assert_allclose(
            metrics[f"{player}_update_norm"], norms[player][last], rtol=1e-3
        )
    for name in ("generator", "discriminator"):
        pairs = zip(
            getattr(experiment, name).variables,
            getattr(by_hand, name).variables,
            strict=True,
        )
        for variable, expected in pairs:
            np.testing.assert_allclose(variable, expected, rtol=1e-3, atol=1e-5)


def test_many_steps_in_one_call_are_the_same_as_single_ones(toy, state, same):
    single, many = toy(), toy()
    rows = run(single, [1, 1, 1, 1]), run(many, [3, 1])
    same(state(single), state(many))
    same(*rows)
    assert rows[0]["generator_loss"].shape == (4,)
    assert len(set(rows[0]["generator_loss"].tolist())) == 4


def test_a_step_averages_the_generator_after_its_update(toy):
    experiment = toy()  # d = .9 from step 1 on
    expected = None
    step = TrainStep(experiment, STRATEGY)
    batches = iter(experiment.batches())
    for number in range(3):
        step.run(batches, 1)
        weights = [v.numpy() for v in experiment.generator.trainable_variables]
        if number == 0:
            expected = weights
        else:
            pairs = zip(expected, weights, strict=True)
            expected = [0.9 * old + 0.1 * new for old, new in pairs]
        means = experiment.averaged_generator.trainable_variables
        for mean, value in zip(means, expected, strict=True):
            np.testing.assert_allclose(mean, value, rtol=1e-5, atol=1e-6)
