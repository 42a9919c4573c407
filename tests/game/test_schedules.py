"""Which updates a training step has, in which order, and on which round of a batch."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.errors import ConfigurationError
from logan_tf.game.dynamics.plain import Plain
from logan_tf.game.round import Round
from logan_tf.game.schedules import Adaptive, Alternating, Simultaneous
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS
from logan_tf.layers.spectral_normalization import normalized_layers
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.optimization import Optimization
from logan_tf.training.step import TrainStep

_LEARNING_RATE = 0.05


class _Log(TrainStep):
    """A training step that writes down who does what with which round."""

    def __init__(self, schedule):
        self.events = []
        self.plays = 0
        experiment = SimpleNamespace(
            game=self,
            schedule=schedule,
            dynamics=Plain(),
            accumulation=1,
            optimization=SimpleNamespace(update=self.update),
            averaging=SimpleNamespace(update=lambda *_: self.events.append("average")),
            generator=None,
            averaged_generator=None,
            discriminator=keras.Sequential(),
        )
        super().__init__(experiment, tf.distribute.get_strategy())

    def advance_spectral_norms(self):
        self.events.append("advance")

    def field(self, round_, players, others=()):
        self.plays += 1
        real = int(round_.images[0, 0]), int(round_.labels[0])
        fake = int(round_.latents[0, 0]), int(round_.fake_labels[0])
        self.events.append(("play", tuple(players), real, fake))
        metrics = {f"{player}_loss": self.plays for player in players}
        return SimpleNamespace(
            players=players, metrics=metrics | {"delta_z_norm": self.plays}
        )

    def update(self, field):
        norms = {f"{player}_update_norm": 10 * self.plays for player in field.players}
        self.events += [("apply", player, self.plays) for player in field.players]
        return field.metrics | norms


def _step(step, batch):
    """The metrics of one training step, by name."""
    row = step.one_step(batch).numpy()
    return dict(zip(step.metric_names, row, strict=True))


def _numbered_batch(schedule):
    """Images 0, 1, …; labels 100, 101, …; latents and fake labels alike."""
    images = tf.range(schedule.images_per_step)[None, :]
    latents = tf.range(schedule.latents_per_step)[None, :]
    return Batch(images[..., None], 100 + images, latents[..., None], 100 + latents)


def test_simultaneous_plays_once():
    log, schedule = _Log(Simultaneous()), Simultaneous()
    assert (schedule.images_per_step, schedule.latents_per_step) == (1, 1)
    metrics = _step(log, _numbered_batch(schedule))
    assert log.events == [
        "advance",
        ("play", PLAYERS, (0, 100), (0, 100)),
        ("apply", DISCRIMINATOR, 1),
        ("apply", GENERATOR, 1),
        "average",
    ]
    assert metrics == {
        "discriminator_loss": 1,
        "generator_loss": 1,
        "delta_z_norm": 1,
        "discriminator_update_norm": 10,
        "generator_update_norm": 10,
        "discriminator_sigma": 0,
    }


@pytest.mark.parametrize("n", [1, 2, 3])
def test_alternating_draws_afresh_for_each_update(n):
    log, schedule = _Log(Alternating(n)), Alternating(n)
    assert (schedule.images_per_step, schedule.latents_per_step) == (n, n + 1)
    metrics = _step(log, _numbered_batch(schedule))
    expected = []
    for i in range(n):
        expected += [
            "advance",
            ("play", (DISCRIMINATOR,), (i, 100 + i), (i, 100 + i)),
            ("apply", DISCRIMINATOR, i + 1),
        ]
    last = log.events[-3][2]  # The generator gets those of the update before.
    expected += [
        "advance",
        ("play", (GENERATOR,), last, (n, 100 + n)),
        ("apply", GENERATOR, n + 1),
        "average",
    ]
    assert log.events == expected
    assert metrics == {
        "discriminator_loss": n,
        "generator_loss": n + 1,
        "delta_z_norm": n + 1,
        "discriminator_update_norm": 10 * n,
        "generator_update_norm": 10 * (n + 1),
        "discriminator_sigma": 0,
    }


class _Falling(_Log):
    """Whose discriminator's loss is 2 in the first update, then 1, then 0.4."""

    def field(self, round_, players, others=()):
        found = super().field(round_, players, others)
        if DISCRIMINATOR in players:
            found.metrics["discriminator_loss"] = (2.0, 1.0, 0.4)[self.plays - 1]
        return found


@pytest.mark.parametrize(
    ("threshold", "updates"), [(9.0, 1), (1.5, 2), (1.0, 3), (0.5, 3), (0.0, 3)]
)
def test_adaptive_updates_go_on_until_the_loss_is_low(threshold, updates):
    """The generator's round is the last one however many were used."""
    schedule = Adaptive(threshold, 3)
    log = _Falling(schedule)
    metrics = _step(log, _numbered_batch(schedule))
    played = [event for event in log.events if event[0] == "play"]
    assert [event[1] for event in played] == [(DISCRIMINATOR,)] * updates + [
        (GENERATOR,)
    ]
    rounds = [event[3] for event in played]
    assert rounds == [(i, 100 + i) for i in [*range(updates), 3]]
    assert metrics["discriminator_updates"] == updates
    found = metrics["discriminator_loss"]
    assert found == pytest.approx((2.0, 1.0, 0.4)[updates - 1])
    assert metrics["generator_loss"] == updates + 1


@pytest.mark.parametrize("number", [1, tf.constant(1)])
def test_parts_of_a_round_are_the_same_however_many_replicas_share_it(number):
    """Part 1 of 3 has the examples 1, 4, 7, 10; two replicas have six each."""
    numbers = tf.range(12)[:, None] + tf.constant([[100, 200, 300]])
    batch = Batch(numbers[..., None], numbers, numbers[..., None], numbers)
    for rows, expected in ((12, [1, 4, 7, 10]), (6, [1, 4])):
        own = Batch(*(x[:rows] for x in batch))
        part = Round.of(own, number, 1, 3)
        assert part.labels.numpy().tolist() == [200 + i for i in expected]
        np.testing.assert_array_equal(part.images[:, 0], part.labels)
        np.testing.assert_array_equal(part.latents[:, 0], part.fake_labels)
    whole = Round.of(batch, number)
    np.testing.assert_array_equal(whole.labels, numbers[:, 1])


@pytest.mark.parametrize("n", [0, -1])
def test_too_few_discriminator_steps(n):
    with pytest.raises(ConfigurationError, match="discriminator_steps must be 1"):
        Alternating(n)
    with pytest.raises(ConfigurationError, match=f"most must be 1 or more, not {n}"):
        Adaptive(1.0, n)


def _batch(schedule):
    rng = np.random.default_rng(7)
    images, latents = schedule.images_per_step, schedule.latents_per_step
    return Batch(
        tf.constant(rng.normal(size=(8, images, 3))),
        tf.zeros((8, images), tf.int32),
        tf.constant(rng.uniform(-1, 1, (8, latents, 6))),
        tf.zeros((8, latents), tf.int32),
    )


def _run(schedule, game):
    """One training step by gradient descent; metrics."""
    optimizers = {p: keras.optimizers.SGD(_LEARNING_RATE) for p in PLAYERS}
    experiment = SimpleNamespace(
        game=game,
        schedule=schedule,
        accumulation=1,
        dynamics=Plain(),
        optimization=Optimization(game, optimizers, Plain()),
        averaging=ExponentialMovingAverage(0.0),
        generator=game.generator,
        averaged_generator=game.generator,
        discriminator=game.discriminator,
    )
    step = TrainStep(experiment, tf.distribute.get_strategy())
    return _step(step, _batch(schedule))


def _power_iteration(layers):
    """Advances every vector in NumPy."""
    for layer in layers:
        matrix = np.array(layer.kernel)
        vector = matrix.T @ (matrix @ np.array(layer.spectral_norm.vector))
        layer.spectral_norm.vector.assign(vector / np.linalg.norm(vector))


def _plain_run(plain, moves, batch):
    """The same step by hand: `moves` is a list of (index, players)."""
    layers = normalized_layers(plain.pair[DISCRIMINATOR])
    assert len(layers) == 2
    for index, players in moves:
        _power_iteration(layers)
        images = batch.images[:, min(index, batch.images.shape[1] - 1)]
        gradients = plain.gradients(Round(images, None, batch.latents[:, index], None))
        for player in players:
            variables = plain.pair[player].trainable_variables
            for variable, gradient in zip(variables, gradients[player], strict=True):
                variable.assign_sub(_LEARNING_RATE * gradient)


@pytest.mark.parametrize(
    ("schedule", "moves"),
    [
        (Simultaneous(), [(0, PLAYERS)]),
        (Alternating(1), [(0, [DISCRIMINATOR]), (1, [GENERATOR])]),
        (
            Alternating(2),
            [(0, [DISCRIMINATOR]), (1, [DISCRIMINATOR]), (2, [GENERATOR])],
        ),
    ],
)
def test_weights_after_a_step(schedule, moves, smooth, settings, plain_game):
    """Both players' gradients at the same point, or each after the other's update."""
    pair, _ = smooth
    variables = pair[0].variables + pair[1].variables
    start = [np.array(v) for v in variables]
    metrics = _run(schedule, settings().game(pair))
    found = [np.array(v) for v in variables]
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    _plain_run(plain_game(pair, settings()), moves, _batch(schedule))
    for variable, value, before in zip(variables, found, start, strict=True):
        np.testing.assert_allclose(value, variable, atol=2e-6, err_msg=variable.path)
        moved = np.abs(value - before).max()
        # A bias before batch norm has no gradient; a vector of one number is 1.
        still = "standing" in variable.path or variable is pair[0].project.bias
        if variable.shape != (1,):
            assert (moved > 1e-5) != still, variable.path
    for player in PLAYERS:
        squares = [
            np.sum((a - b) ** 2)
            for v, a, b in zip(variables, found, start, strict=True)
            if any(v is w for w in settings().game(pair).variables(player))
        ]
        if (player, len(moves)) != (DISCRIMINATOR, 3):
            norm = metrics[f"{player}_update_norm"]
            np.testing.assert_allclose(norm, np.sqrt(np.sum(squares)), 1e-6)
