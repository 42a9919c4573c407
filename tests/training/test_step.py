"""Training steps against the same steps taken by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.game import PLAYERS, Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.penalties.orthogonality import Orthogonality
from logan_tf.game.round import Round
from logan_tf.game.schedules import Alternating, Simultaneous
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.networks import mlp
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
            gradients, _, found = game.play(
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


class Coupled(mlp.Generator):
    """One whose samples depend on each other, by batch normalization."""

    def __init__(self):
        super().__init__(latent_dim=4, hidden=(8,))
        self.normalize = BatchNormalization()

    def call(self, latents, labels=None, training=True):
        return super().call(self.normalize(latents, training=training), labels)


def first_order(generator, discriminator) -> Game:
    """An ablation, with all that a batch and a loss can have more."""
    step = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 0.1), fraction=0.8)
    return Game(
        generator,
        discriminator,
        latent_rule=LatentRule(step, 0.1, stop_gradient=PLAYERS, stop_regularizer=True),
        penalties=[Orthogonality(0.1)],
        augmentation=Scaled(),
    )


class Scaled:
    """An augmentation of points: each is scaled by a draw."""

    num_draws = 1

    def __call__(self, images, draws):
        return images * (0.5 + draws)


@pytest.mark.parametrize(
    ("schedule", "game"),
    [
        (Simultaneous(), {}),
        (Alternating(2), {}),
        (Alternating(2), {"game": first_order}),
    ],
)
def test_accumulation_is_the_large_batch(schedule, game, toy, state):
    """SGD, whose step is the gradient: Adam would hide a wrong scale."""
    settings = {"optimizer": sgd, "schedule": schedule, "batch_size": 12} | game
    whole, accumulated = (toy(accumulation=n, **settings) for n in (1, 3))
    start = state(whole)
    rows = run(whole, [2]), run(accumulated, [2])
    trios = zip(
        start.items(), state(whole).values(), state(accumulated).values(), strict=True
    )
    moved = 0
    for (name, before), expected, found in trios:
        np.testing.assert_allclose(found, expected, atol=2e-6, err_msg=name)
        moved += np.abs(expected - before).max() > 1e-4
    assert moved > len(start) / 2
    assert rows[0].keys() == rows[1].keys()
    for name, values in rows[0].items():
        np.testing.assert_allclose(rows[1][name], values, 1e-3, 1e-5, err_msg=name)


def test_batch_norms_scope_is_the_micro_batch(toy):
    """The gradient is the mean of those of the parts, each with moments of its own."""
    experiment = toy(optimizer=sgd, generator=Coupled, batch_size=12, accumulation=3)
    by_hand = toy(optimizer=sgd, generator=Coupled, batch_size=12)
    game = by_hand.game
    (batch,) = by_hand.batches().take(1)
    game.advance_spectral_norms()
    gradients = [
        game.play(Round(*(x[part::3, 0] for x in batch[:4]))).gradients
        for part in range(3)
    ]
    coupled = game.play(Round(*(x[:, 0] for x in batch[:4]))).gradients
    metrics = run(experiment, [1])
    for player in PLAYERS:
        parts = zip(*(of_part[player] for of_part in gradients), strict=True)
        expected = np.sqrt(sum(np.sum(np.mean(part, 0) ** 2) for part in parts))
        found = metrics[f"{player}_gradient_norm"][0]
        np.testing.assert_allclose(found, expected, 1e-4)
        of_all = np.sqrt(sum(np.sum(np.square(g)) for g in coupled[player]))
        assert abs(found / of_all - 1) > 1e-3


@pytest.mark.slow
def test_a_repeated_update_is_traced_once(toy):
    """More discriminator steps or micro-batches make no larger graph."""

    def size(number, accumulation):
        experiment = toy(
            schedule=Alternating(number), batch_size=12, accumulation=accumulation
        )
        step = TrainStep(experiment, STRATEGY)
        traced = tf.function(step.one_step).get_concrete_function(
            experiment.batches().element_spec
        )
        functions = traced.graph.as_graph_def().library.function
        return len(traced.graph.get_operations()), sum(
            len(function.node_def) for function in functions
        )

    assert size(2, 1) == size(5, 1)
    assert size(2, 2) == size(5, 3)
