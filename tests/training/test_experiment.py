"""Parts that do not fit together are refused as the experiment is built."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data.points import Ring
from logan_tf.errors import ConfigurationError
from logan_tf.game.schedules import Alternating
from logan_tf.networks import mlp, sngan
from logan_tf.training import cost


class ColumnOfScores(mlp.Discriminator):
    def call(self, images, labels=None):
        return super().call(images, labels)[:, None]


class OfSevenClasses(mlp.Discriminator):
    num_classes = 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discriminator": OfSevenClasses}, "has 7 classes, the dataset .*num_classes"),
        ({"batch_size": 0}, "batch_size must be 2 or more .*, not 0"),
        ({"batch_size": 1}, "batch_size must be 2 or more"),
        ({"accumulation": 0}, "accumulation must be 1 or more, not 0"),
        ({"accumulation": 3}, "4 cannot .* 3 micro-batches .*: set it to 6$"),
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
