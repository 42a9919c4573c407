import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.networks import mlp, sngan
from logan_tf.sampling.standing import StandingStatistics


class TwoNorms(keras.Model):
    """latents → batch norm of 2 z → batch norm of its square; labels shift z."""

    def __init__(self):
        super().__init__()
        # Listed in another order than they run in.
        self.second, self.first = BatchNormalization(), BatchNormalization()

    def call(self, latents, labels=None, training=True):
        shift = 0 if labels is None else keras.ops.cast(labels, "float64")[:, None]
        x = self.first(2 * latents + shift, training=training)
        return self.second(x**2, training=training)


class OneNorm(keras.Model):
    """Batch norm of the latents."""

    def __init__(self):
        super().__init__()
        self.norm = BatchNormalization()

    def call(self, latents, labels=None, training=True):
        return self.norm(latents, training=training)


def _batches(count=3, batch=8, dim=3):
    rng = np.random.default_rng(0)
    return [
        (rng.normal(1, 2, (batch, dim)), rng.integers(0, 4, batch))
        for _ in range(count)
    ]


def _expected(batches):
    """Standing statistics of both norms: each batch normalized by its own moments."""
    first = [2 * latents + labels[:, None] for latents, labels in batches]
    second = [((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)) ** 2 for x in first]
    statistics = []
    for values in (first, second):
        mean = np.mean([x.mean(0) for x in values], 0)
        square = np.mean([(x**2).mean(0) for x in values], 0)
        statistics.append((mean, square - mean**2))
    return statistics


def _check(generator, batches):
    for layer, (mean, variance) in zip(
        (generator.first, generator.second), _expected(batches), strict=True
    ):
        np.testing.assert_allclose(layer.standing_mean, mean, 1e-9)
        np.testing.assert_allclose(layer.standing_variance, variance, 1e-9)


def _collect(generator, batches):
    """Collects in a graph, as an export does, and assigns."""
    standing = StandingStatistics(generator)
    latents, labels = (
        tf.constant(np.stack(each)) for each in zip(*batches, strict=True)
    )

    @tf.function
    def collect():
        draw = lambda index: (latents[index], labels[index])  # noqa: E731
        return standing.collect(len(batches), draw)

    standing.assign(collect())


@pytest.fixture
def generator(float64):
    generator = TwoNorms()
    generator(np.ones((2, 3)))
    return generator


@pytest.mark.parametrize("count", [1, 3])
def test_moments_are_averaged_over_batches(generator, count):
    _collect(generator, _batches(count))
    _check(generator, _batches(count))


@pytest.mark.parametrize("ratio", [1, 100, 1000, -1000])
def test_float32_where_a_mean_is_many_deviations(ratio):
    """Of all batches together, against float64 on the numbers that float32 has."""
    rng = np.random.default_rng(1)
    drift = rng.normal(0, 0.5, (5, 1, 3))  # The batches' means differ.
    x = np.float32((ratio + drift + rng.normal(0, 1, (5, 64, 3))) * [0.01, 1, 100])
    generator = OneNorm()
    generator(x[0])
    standing = StandingStatistics(generator)
    (found,) = standing.collect(len(x), lambda index: (x[int(index)], None))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean((0, 1)), 1e-6)
    np.testing.assert_allclose(found.variance, exact.var((0, 1)), 1e-5)


def test_collecting_starts_anew_with_batches_of_any_size(generator):
    _collect(generator, _batches(4))
    _collect(generator, _batches(2, batch=5))
    _check(generator, _batches(2, batch=5))


def test_collecting_changes_nothing_and_eager_collecting_agrees(generator):
    standing, batches = StandingStatistics(generator), _batches()
    before = [np.array(variable) for variable in generator.variables]
    eager = standing.collect(3, lambda index: batches[int(index)])
    for variable, value in zip(generator.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    # In the order of the layers' attributes, not of the calls.
    standing.assign(eager)
    _check(generator, batches)


def test_statistics_can_be_given_for_a_pass(generator):
    standing, batches = StandingStatistics(generator), _batches()
    latents, labels = batches[0]
    held = np.array(generator(latents, labels, training=False))
    statistics = standing.collect(3, lambda index: batches[int(index)])
    with standing.given(statistics):
        given = np.array(generator(latents, labels, training=False))
    again = np.array(generator(latents, labels, training=False))
    standing.assign(statistics)
    np.testing.assert_array_equal(generator(latents, labels, training=False), given)
    np.testing.assert_array_equal(again, held)
    assert np.abs(given - held).max() > 0.1
    for mine, layers in zip(standing.assigned(), statistics, strict=True):
        np.testing.assert_array_equal(mine.mean, layers.mean)
        np.testing.assert_array_equal(mine.variance, layers.variance)


def test_one_batch_samples_as_in_training(generator):
    batches = _batches(1)
    _collect(generator, batches)
    latents, labels = batches[0]
    np.testing.assert_allclose(
        generator(latents, labels, training=False),
        generator(latents, labels, training=True),
        1e-9,
    )


def test_nothing_but_the_standing_statistics_changes():
    generator = sngan.Generator(16, 1, 2, 6)
    latents = np.random.default_rng(0).uniform(-1, 1, (4, 6)).astype(np.float32)
    generator(latents)
    before = {v.path: np.array(v) for v in generator.variables}
    _collect(generator, [(latents, np.zeros(4, np.int32))])
    changed = {
        v.path for v in generator.variables if np.any(np.array(v) != before[v.path])
    }
    assert changed == {p for p in before if "standing" in p}
    assert len(changed) == 4


def test_no_batches_are_an_error(generator):
    with pytest.raises(ValueError, match="at least one batch"):
        StandingStatistics(generator).collect(0, _not_called)


def test_generator_without_batch_norm_draws_no_batches():
    generator = mlp.Generator(4, (5,))
    generator(np.ones((2, 4), np.float32))
    assert StandingStatistics(generator).collect(3, _not_called) == []


def _not_called(index):
    raise AssertionError("no batch is to be drawn")
