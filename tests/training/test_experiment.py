"""Parts that do not fit together are refused as the experiment is built."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf import host_memory
from logan_tf.data.points import Ring
from logan_tf.errors import ConfigurationError
from logan_tf.game.dynamics.competitive import (
    AdaptiveCompetitiveGradientDescent,
    CompetitiveGradientDescent,
)
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.extrapolation_from_the_past import (
    ExtrapolationFromThePast,
)
from logan_tf.game.dynamics.momentum import Momentum
from logan_tf.game.dynamics.optimistic import Optimistic
from logan_tf.game.game import Game
from logan_tf.game.penalties.penalty import Penalty
from logan_tf.game.schedules import Alternating
from logan_tf.game.weights import PLAYERS
from logan_tf.layers.weight_clipping import WeightClipping
from logan_tf.networks import mlp, sngan
from logan_tf.training import cost
from logan_tf.training.checkpoints import Checkpoints
from logan_tf.training.step import TrainStep


class ColumnOfScores(mlp.Discriminator):
    def call(self, images, labels=None):
        return super().call(images, labels)[:, None]


class OfSevenClasses(mlp.Discriminator):
    num_classes = 7


class Counting(Dynamics):
    """Plain, and counts its updates."""

    def __init__(self):
        self.variables = []

    def build(self, weights, ahead):
        assert weights.keys() == set(PLAYERS)
        self.count = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.variables = [self.count]

    def __call__(self, field):
        self.count.assign_add(1)
        return field()


class Remembering(Penalty):
    """A penalty of nothing, that keeps a moving average of the real scores."""

    name, player = "remembering", "discriminator"

    def __init__(self):
        self.mean = tf.Variable(0.0, trainable=False)
        self.variables = [self.mean]

    def __call__(self, sample):
        return tf.zeros([])

    def advance(self, players, metrics):
        if self.player in players:
            self.mean.assign(0.9 * self.mean + 0.1 * metrics["real_score"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discriminator": OfSevenClasses}, "has 7 classes, the dataset .*num_classes"),
        ({"batch_size": 0}, "batch_size must be 2 or more .*, not 0"),
        ({"batch_size": 1}, "batch_size must be 2 or more"),
        ({"accumulation": 0}, "accumulation must be 1 or more, not 0"),
        ({"accumulation": 3}, "4 cannot .* 3 micro-batches .*: set it to 6$"),
        (
            {"accumulation": 2, "dynamics": Counting()},
            "accumulation = 2 needs plain dynamics, not Counting: .*@Plain",
        ),
        (
            {"schedule": Alternating(2), "dynamics": Extragradient()},
            "Extragradient needs a schedule .* not Alternating: .*@Simultaneous",
        ),
        ({"seed": -1}, "seed must be 0 to 2147483647, not -1"),
        ({"seed": 2**31}, "seed must be 0 to"),
        (
            {"generator": lambda: sngan.Generator(16, width=2, latent_dim=4)},
            r"generator makes examples of shape \(16, 16, 3\), the dataset has \(2,\)",
        ),
        (
            {"discriminator": lambda: sngan.Discriminator(16, width=2)},
            r"discriminator takes examples of shape \(16, 16, 3\), .*\(2,\)",
        ),
        (
            {"discriminator": lambda: ColumnOfScores(hidden=(3,))},
            r"must return \[batch\] scores, not \[2, 1\] for a batch of 2",
        ),
    ],
)
def test_what_does_not_fit(changes, message, toy):
    with pytest.raises(ConfigurationError, match=message):
        toy(**changes)


def test_the_average_starts_as_a_copy_and_the_seed_draws_the_weights(toy, state, same):
    first, again, other = toy(), toy(), toy(seed=4)
    same(state(first), state(again))
    pairs = zip(
        first.generator.variables, first.averaged_generator.variables, strict=True
    )
    for variable, mean in pairs:
        np.testing.assert_array_equal(variable, mean)
    kernels = [e.generator.variables[0].numpy() for e in (first, other)]
    assert not np.array_equal(*kernels)
    assert first.latent_optimizer is first.game.latent_rule.optimizer


def test_every_optimizer_slot_exists_before_the_first_step(toy):
    experiment = toy(optimizer=keras.optimizers.Adam)
    for player, optimizer in experiment.optimizers.items():
        # Two moments of each variable, the step and the rate.
        expected = 2 * len(experiment.game.variables(player)) + 2
        assert len(optimizer.variables) == expected


def test_batches_are_those_of_the_schedule(toy):
    experiment = toy(schedule=Alternating(3))
    batch = next(iter(experiment.batches(first_step=2)))
    assert batch.images.shape == (4, 3, 2)
    assert batch.latents.shape == (4, 4, 4)
    third = next(iter(experiment.batches().skip(2)))
    for a, b in zip(batch, third, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_cost_of_a_step_needs_no_data_and_grows_with_the_batch(toy):
    class NoData(Ring):
        def examples(self, **_):
            raise AssertionError("the data was touched")

    strategy = tf.distribute.get_strategy()
    small, large = (
        cost.measure(toy(dataset=NoData(), batch_size=size), strategy)
        for size in (4, 8)
    )
    assert small.generator_parameters == 4 * 8 + 8 + 8 * 2 + 2
    assert small.discriminator_parameters == 2 * 8 + 8 + 8 * 1 + 1
    forward = 2 * 4 * (4 * 8 + 8 * 2 + 2 * 8 + 8 * 1)  # D(G(z)) once
    assert small.operations > 6 * forward
    assert 1.5 < large.operations / small.operations < 2.01


def _remembering(toy, schedule=None):
    return toy(
        dynamics=Counting(),
        game=lambda *pair: Game(*pair, penalties=[Remembering()]),
        schedule=schedule,
    )


def _trained(experiment, first, last):
    """Steps of an experiment from its checkpoint on; the step's class."""
    step = TrainStep(experiment, tf.distribute.get_strategy())
    step.step.assign(first)
    batches = iter(experiment.batches(first))
    step.run(batches, last - first)
    return step


def _equal(first, second):
    """Asserts that two experiments' states are the same bits."""
    assert first.state().keys() == second.state().keys()
    for part, variables in first.state().items():
        for a, b in zip(variables, second.state()[part], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=part)


@pytest.mark.parametrize("schedule", [None, Alternating(2)])
def test_what_dynamics_and_penalties_keep_is_saved_and_resumed(schedule, toy, tmp_path):
    """A run of five steps, and one of two that another process takes up."""
    whole = _remembering(toy, schedule)
    _trained(whole, 0, 5)
    updates = 3 if schedule else 1
    assert whole.dynamics.count == 5 * updates
    assert abs(float(whole.game.penalties[0].mean)) > 1e-3
    begun = _remembering(toy, schedule)
    step = _trained(begun, 0, 2).step
    Checkpoints(tmp_path, begun, step).save()
    resumed = _remembering(toy, schedule)
    found = tf.Variable(0, dtype=tf.int64)
    Checkpoints(tmp_path, resumed, found).restore()
    assert resumed.dynamics.count == 2 * updates
    _trained(resumed, int(found), 5)
    _equal(whole, resumed)
    with pytest.raises(ConfigurationError, match="other networks or optimizers"):
        Checkpoints(tmp_path, toy(), tf.Variable(0, dtype=tf.int64)).restore()


@pytest.mark.parametrize(
    "make",
    [
        Extragradient,
        ExtrapolationFromThePast,
        Optimistic,
        Momentum,
        lambda: CompetitiveGradientDescent(0.01, iterations=1),
        pytest.param(
            lambda: AdaptiveCompetitiveGradientDescent(0.01, iterations=1),
            marks=pytest.mark.slow,
        ),
        functools.partial(Extragradient, fresh_batch=True),
    ],
)
def test_a_resumed_run_of_any_dynamics_has_the_same_bits(make, toy, tmp_path):
    """Eagerly: the bits of a graph are another test's, and tracing takes longer."""
    whole, resumed = toy(dynamics=make()), toy(dynamics=make())
    first, second = (
        TrainStep(e, tf.distribute.get_strategy()) for e in (whole, resumed)
    )
    batches = list(whole.batches().take(4))
    for number, batch in enumerate(batches):
        if number == 2:
            Checkpoints(tmp_path, whole, first.step).save()
            Checkpoints(tmp_path, resumed, second.step).restore()
        first.one_step(batch)
    for batch in batches[2:]:
        second.one_step(batch)
    _equal(whole, resumed)
    variables = whole.state()["dynamics"]
    assert bool(variables) == (not isinstance(whole.dynamics, Extragradient))
    assert all(np.any(variable) for variable in variables)


def test_the_state_is_all_that_a_step_changes(toy):
    """Every variable in TensorFlow's graph of a step, but the step's number and the
    learning rates, which are the recipe's."""
    experiment = _remembering(toy)
    before = {id(v): np.array(v) for part in experiment.state().values() for v in part}
    step = TrainStep(experiment, tf.distribute.get_strategy())
    graph = tf.function(step.one_step).get_concrete_function(
        experiment.batches().element_spec
    )
    known = [
        step.step,
        *(o.learning_rate.value for o in experiment.optimizers.values()),
    ]
    others = [v for v in graph.variables if all(v is not other for other in known)]
    assert {id(variable) for variable in others} <= before.keys()
    step.run(iter(experiment.batches()), 2)
    for part, variables in experiment.state().items():
        changed = [not np.array_equal(before[id(v)], v) for v in variables]
        assert any(changed), part


@pytest.mark.parametrize(("optimizer", "kept"), [("Adam", 2), (None, 0)])
def test_memory_is_asked_for_the_optimizers_numbers_too(
    optimizer, kept, toy, monkeypatch
):
    """Before there is any variable: the system would kill the process."""

    class Own(keras.optimizers.SGD):
        def __init__(self):
            super().__init__(0.01)

    make = getattr(keras.optimizers, optimizer) if optimizer else Own
    experiment = toy(optimizer=make)
    players = (experiment.generator, experiment.discriminator)
    networks = [*players, experiment.averaged_generator]
    numbers = sum(v.shape.num_elements() for n in networks for v in _values(n))
    trained = (v for n in players for v in _values(n, "trainable_variables"))
    numbers += kept * sum(v.shape.num_elements() for v in trained)
    monkeypatch.setattr(host_memory, "available", lambda: 4.0 * numbers)
    toy(optimizer=make)
    monkeypatch.setattr(host_memory, "available", lambda: 4.0 * numbers - 1)
    with pytest.raises(ConfigurationError, match=f" {numbers:,} numbers, would take"):
        toy(optimizer=make)


def _values(network, which="variables"):
    return [variable.value for variable in getattr(network, which)]


def test_a_network_that_looks_at_values_is_built(toy):
    """Its shapes alone are not known before."""

    class Looking(mlp.Generator):
        def call(self, latents, labels=None, **more):
            assert latents.numpy().shape[1] == 4
            return super().call(latents, labels, **more)

    assert toy(generator=lambda: Looking(latent_dim=4, hidden=(8,))).latent_dim == 4


def test_a_defect_of_a_network_is_not_kept_quiet(toy):
    class Broken(mlp.Generator):
        def call(self, *_, **__):
            return {}["nothing"]

    with pytest.raises(KeyError):
        toy(generator=lambda: Broken(latent_dim=4, hidden=(8,)))


def test_clipped_weights_stay_in_their_box(toy):
    """After an update, and where a look-ahead goes; the generator has none."""
    experiment = toy(
        discriminator_constraint=WeightClipping(0.05),
        optimizer=lambda: keras.optimizers.SGD(10.0),
    )
    optimization = experiment.optimization
    gradients = {
        player: [tf.ones(v.shape) for v in experiment.game.variables(player)]
        for player in PLAYERS
    }
    ahead = optimization.ahead(gradients)
    for player in PLAYERS:
        optimization.apply(player, gradients[player])
    after = experiment.game.weights()
    for found in (ahead, after):
        lowest = [float(tf.reduce_min(w)) for w in found["discriminator"]]
        np.testing.assert_allclose(lowest, -0.05, rtol=1e-6)
        assert all(float(tf.reduce_min(w)) < -5 for w in found["generator"])


def test_constraints_of_the_network_itself_stay(toy):
    own = keras.constraints.NonNeg()

    class Constrained(mlp.Discriminator):
        def build(self, input_shape):
            super().build(input_shape)
            self.bound = self.add_weight(shape=(), constraint=own)

    experiment = toy(discriminator=lambda: Constrained(hidden=(8,)))
    kept = [v.constraint for v in experiment.game.variables("discriminator")]
    assert own in kept


def test_a_box_of_nothing_is_refused():
    with pytest.raises(ConfigurationError, match=r"WeightClipping\.limit"):
        WeightClipping(0.0)
