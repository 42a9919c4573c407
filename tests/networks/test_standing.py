import keras
import numpy as np
import pytest

from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.networks import mlp, sngan, standing


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


@pytest.fixture
def generator(float64):
    generator = TwoNorms()
    generator(np.ones((2, 3)))
    return generator


def test_moments_are_averaged_over_batches(generator):
    standing.collect(generator, _batches())
    _check(generator, _batches())


def test_collector_starts_anew_and_takes_batches_of_any_size(generator):
    collector = standing.Collector(generator)
    collector(_batches(4))
    collector(iter(_batches(2, batch=5)))
    _check(generator, _batches(2, batch=5))


def test_one_batch_samples_as_in_training(generator):
    batches = _batches(1)
    standing.collect(generator, batches)
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
    standing.collect(generator, [(latents, np.zeros(4, np.int32))])
    changed = {
        v.path for v in generator.variables if np.any(np.array(v) != before[v.path])
    }
    assert changed == {p for p in before if "standing" in p}
    assert len(changed) == 4


def test_no_batches_are_an_error(generator):
    with pytest.raises(ValueError, match="at least one batch"):
        standing.collect(generator, [])


def test_generator_without_batch_norm_draws_no_batches():
    generator = mlp.Generator(4, (5,))
    generator(np.ones((2, 4), np.float32))
    drawn = iter(_batches())
    standing.collect(generator, drawn)
    assert len(list(drawn)) == 3
