"""The averages of the generator against NumPy."""

import math

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.networks import mlp, sngan
from logan_tf.training.averaging import ExponentialMovingAverage, PolynomialAverage


def networks(build):
    made = build(), build()
    for network in made:
        network(tf.zeros([2, network.latent_dim]))
    return made


@pytest.mark.parametrize(("decay", "start"), [(0.75, 0), (0.75, 2), (0.9999, 2)])
def test_copies_before_the_start_and_averages_from_it_on(decay, start):
    averaged, network = networks(lambda: mlp.Generator(latent_dim=3, hidden=(4,)))
    draws = np.random.default_rng(0)
    average = ExponentialMovingAverage(decay, start_step=start)
    expected = [variable.numpy().astype(np.float64) for variable in averaged.variables]
    update = tf.function(average.update)
    for step in range(5):
        values = [draws.normal(size=v.shape).astype(np.float32) for v in expected]
        for variable, value in zip(network.variables, values, strict=True):
            variable.assign(value)
        update(averaged, network, tf.constant(step, tf.int64))
        for index, value in enumerate(values):
            old = expected[index]
            moved = (1 - decay) * (value - old)
            expected[index] = value if step < start else old + moved
            result = averaged.variables[index].numpy()
            np.testing.assert_allclose(result, expected[index], rtol=1e-5, atol=1e-6)
            if step >= start:  # .9999 moves by little, and is not to be lost.
                np.testing.assert_allclose(result - old, moved, rtol=0.01, atol=1e-6)
            if step < start:
                np.testing.assert_array_equal(result, value)
            np.testing.assert_array_equal(network.variables[index].numpy(), value)


def test_no_decay_is_a_copy():
    averaged, network = networks(lambda: mlp.Generator(latent_dim=3, hidden=(4,)))
    ExponentialMovingAverage(0.0).update(averaged, network, tf.constant(0, tf.int64))
    for mean, variable in zip(averaged.variables, network.variables, strict=True):
        np.testing.assert_allclose(mean, variable, rtol=1e-6, atol=1e-7)


class WithVector(sngan.Generator):
    """Has a variable that is neither trained nor a standing statistic."""

    def __init__(self):
        super().__init__(16, width=2, latent_dim=3)
        self.vector = self.add_weight(shape=(2,), trainable=False, name="vector")


def test_what_is_not_trained_is_copied_but_standing_statistics_stay():
    averaged, network = networks(WithVector)
    standing = [v for v in averaged.variables if v.name.startswith("standing_")]
    assert standing
    for number, variable in enumerate(network.non_trainable_variables):
        variable.assign(tf.fill(variable.shape, 7.0 + number))
    before = [variable.numpy() for variable in standing]
    average = ExponentialMovingAverage(0.9)
    average.update(averaged, network, tf.constant(5, tf.int64))
    np.testing.assert_array_equal(averaged.vector, network.vector)
    assert (averaged.vector.numpy() >= 7).all()
    for variable, value in zip(standing, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 1.0}, r"decay must be in \[0, 1\), not 1.0"),
        ({"decay": -0.1}, "decay must be"),
        ({"decay": float("nan")}, "decay must be"),
        ({"start_step": -1}, "start_step must be 0 or more, not -1"),
    ],
)
def test_numbers_out_of_range(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        ExponentialMovingAverage(**settings)


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("power", [0, 1, 2])
def test_an_average_over_all_steps(power, start):
    """θ_n has the weight C(n + p, p): 1, n + 1, (n + 1)(n + 2) / 2."""
    averaged, network = networks(lambda: mlp.Generator(latent_dim=3, hidden=(4,)))
    average = PolynomialAverage(power, start)
    values = np.random.default_rng(0).normal(size=8)
    for step, value in enumerate(values):
        network.variables[0].assign(np.full((3, 4), value))
        average.update(averaged, network, tf.constant(step, tf.int64))
    later = values[start:]
    shares = [math.comb(n + power, power) for n in range(later.size)]
    expected = np.average(later, weights=shares)
    np.testing.assert_allclose(averaged.variables[0], np.full((3, 4), expected), 1e-5)


def test_what_an_average_refuses():
    with pytest.raises(ConfigurationError, match=r"Average.power .* not -1"):
        PolynomialAverage(-1)
    with pytest.raises(ConfigurationError, match=r"PolynomialAverage.start_step .* -1"):
        PolynomialAverage(0, -1)
