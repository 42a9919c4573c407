import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data.priors import normal_prior, uniform_prior
from logan_tf.errors import ConfigurationError
from logan_tf.game import latent
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.networks import sngan
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.sampler import Sampler
from logan_tf.sampling.settings import SamplingSettings

DIM = 5
MATRIX = np.random.default_rng(0).normal(size=(DIM, 2))
NGD = functools.partial(latent.natural_gradient_step, step_size=0.3, damping=0.1)


class LinearGenerator(keras.Model):
    """images = z A + label; notes the batch sizes with which it is traced."""

    def __init__(self):
        super().__init__()
        self.latent_dim = DIM
        self.matrix = tf.Variable(MATRIX, dtype=tf.float32)
        self.traced = []

    def call(self, latents, labels=None, training=True):
        if isinstance(latents, tf.Tensor) and tf.inside_function():
            self.traced.append((latents.shape[0], training))
        return latents @ self.matrix + tf.cast(labels, tf.float32)[:, None]


class SumDiscriminator(keras.Model):
    def call(self, images, labels=None):
        return tf.reduce_sum(images, axis=-1)


def make_sampler(generator=None, optimizer=None, prior=uniform_prior, **arguments):
    arguments = {"num_classes": 3, "batch_size": 16, **arguments}
    networks = generator or LinearGenerator(), SumDiscriminator()
    return Sampler(SamplingGraph(*networks, optimizer, prior, **arguments))


@pytest.mark.parametrize("num", [1, 15, 16, 17, 64])
@pytest.mark.parametrize("steps", [0, 2])
def test_the_first_samples_do_not_depend_on_how_many_are_drawn(num, steps):
    sampler = make_sampler(optimizer=latent.LatentOptimizer(NGD))
    many = sampler.sample(100, SamplingSettings(3, latent_steps=steps))
    few = sampler.sample(num, SamplingSettings(3, latent_steps=steps))
    for whole, part in zip(many, few, strict=True):
        assert len(part) == num
        np.testing.assert_array_equal(whole[:num], part)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100, 130])
def test_latents_do_not_depend_on_the_batch_size(batch_size):
    expected = make_sampler().sample(130, SamplingSettings(3))
    found = make_sampler(batch_size=batch_size).sample(130, SamplingSettings(3))
    np.testing.assert_array_equal(found.latents, expected.latents)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.images, expected.images, rtol=1e-5, atol=1e-6)


def test_images_belong_to_their_latents_and_labels():
    samples = make_sampler().sample(130, SamplingSettings(3))
    expected = samples.latents.astype(np.float64) @ MATRIX + samples.labels[:, None]
    np.testing.assert_allclose(samples.images, expected, atol=1e-5)
    assert [x.dtype for x in samples] == [np.float32, np.float32, np.int32]


def test_samples_follow_the_prior_and_no_two_are_alike():
    sampler = make_sampler(batch_size=500)
    samples = sampler.sample(3000, SamplingSettings())
    assert np.abs(samples.latents).max() <= 1
    np.testing.assert_allclose(samples.latents.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(samples.latents.var(0), 1 / 3, atol=0.03)
    assert len(np.unique(samples.latents, axis=0)) == 3000
    np.testing.assert_allclose(np.bincount(samples.labels) / 3000, 1 / 3, atol=0.04)
    normal = make_sampler(prior=normal_prior, batch_size=500).sample(
        3000, SamplingSettings()
    )
    np.testing.assert_allclose(normal.latents.var(0), 1, atol=0.1)


def test_another_seed_gives_other_samples():
    sampler = make_sampler()
    first, second = (sampler.sample(200, SamplingSettings(seed)) for seed in (1, 2))
    assert not np.intersect1d(first.latents, second.latents).size
    assert (first.labels != second.labels).any()


def test_labels_can_be_given():
    sampler = make_sampler()
    drawn = sampler.sample(20, SamplingSettings())
    given = sampler.sample(20, SamplingSettings(), labels=np.arange(20) % 3)
    np.testing.assert_array_equal(given.labels, np.arange(20) % 3)
    np.testing.assert_array_equal(given.latents, drawn.latents)
    assert (
        make_sampler(num_classes=0).sample(20, SamplingSettings()).labels == 0
    ).all()


def test_truncation_scales_the_latents():
    sampler = make_sampler()
    whole = sampler.sample(20, SamplingSettings()).latents
    half = sampler.sample(20, SamplingSettings(0, truncation=0.5)).latents
    np.testing.assert_array_equal(half, whole / 2)


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_latents_take_exactly_so_many_steps_from_the_truncated_ones(steps):
    # The optimizer's own number of steps, that of the training, must not matter.
    optimizer = latent.LatentOptimizer(NGD, fraction=0.6, num_steps=2)
    sampler = make_sampler(optimizer=optimizer)
    start = sampler.sample(40, SamplingSettings(0, truncation=0.5)).latents.astype(
        np.float64
    )
    moved = sampler.sample(
        40, SamplingSettings(0, latent_steps=steps, truncation=0.5)
    ).latents
    gradient = MATRIX.sum(axis=1)[:3]
    delta = 0.3 * gradient / (0.1 + gradient @ gradient)
    expected = start.copy()
    for _ in range(steps):
        expected[:, :3] = np.clip(expected[:, :3] + delta, -1, 1)
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    assert steps == 0 or np.abs(moved - start).max() > 0.05


def test_one_shape_is_traced_and_evaluation_mode_used():
    sampler = make_sampler(optimizer=latent.LatentOptimizer(NGD))
    for num in (1, 16, 40, 33):
        sampler.sample(num, SamplingSettings())
    assert sampler.graph.generator.traced == [(16, False)]
    sampler.sample(5, SamplingSettings(0, latent_steps=2))
    assert set(sampler.graph.generator.traced) == {(16, False)}


def test_new_weights_are_seen():
    sampler = make_sampler()
    before = sampler.sample(3, SamplingSettings(), labels=np.zeros(3, int)).images
    sampler.graph.generator.matrix.assign(2 * MATRIX)
    after = sampler.sample(3, SamplingSettings(), labels=np.zeros(3, int)).images
    np.testing.assert_allclose(after, 2 * before, rtol=1e-6)


@tf.custom_gradient
def _once_differentiable(x):
    @tf.custom_gradient
    def backward(upstream):
        def refuse(_):
            raise AssertionError("second-order graph")

        return 2 * upstream, refuse

    return 2 * x, backward


def test_latent_steps_build_no_second_order_graph():
    class Generator(LinearGenerator):
        def call(self, latents, labels=None, training=True):
            return super().call(_once_differentiable(latents), labels, training)

    sampler = make_sampler(Generator(), latent.LatentOptimizer(NGD))
    plain = sampler.sample(4, SamplingSettings()).latents
    assert (
        sampler.sample(4, SamplingSettings(0, latent_steps=3)).latents != plain
    ).any()
    # The trap does snap.
    x = tf.Variable(1.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = _once_differentiable(x) ** 2
        gradient = inner.gradient(y, x)
    with pytest.raises(AssertionError, match="second-order"):
        outer.gradient(gradient, x)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"num": 0}, "at least 1"),
        ({"settings": SamplingSettings(truncation=0.0)}, "truncation"),
        ({"settings": SamplingSettings(truncation=1.5)}, "truncation"),
        ({"settings": SamplingSettings(truncation=float("nan"))}, "truncation"),
        ({"settings": SamplingSettings(latent_steps=-1)}, "latent_steps"),
        ({"settings": SamplingSettings(latent_steps=1)}, "set latent_steps to 0"),
        ({"labels": np.zeros(3, int)}, r"integers \[4\]"),
        ({"labels": np.zeros(4)}, "integers"),
        ({"labels": np.array([0, 1, 2, 3])}, "3 classes"),
        ({"labels": np.array([0, 1, 2, -1])}, "3 classes"),
    ],
)
@pytest.mark.parametrize("method", ["sample", "batches"])
def test_bad_requests_are_refused_at_once(arguments, cause, method):
    arguments = {"num": 4, "settings": SamplingSettings(), **arguments}
    with pytest.raises(ConfigurationError, match=cause):
        getattr(make_sampler(), method)(**arguments)


def test_a_batch_size_of_zero_is_refused():
    with pytest.raises(ConfigurationError, match="batch_size"):
        make_sampler(batch_size=0)
    with pytest.raises(ConfigurationError, match="batch_size"):
        make_sampler().collect_standing(1, SamplingSettings(), batch_size=0)


class NormalizedGenerator(LinearGenerator):
    """images = batch_norm(z A)."""

    def __init__(self):
        super().__init__()
        self.normalize = BatchNormalization()

    def call(self, latents, labels=None, training=True):
        return self.normalize(latents @ self.matrix, training=training)


@pytest.mark.parametrize("truncation", [1.0, 0.5])
def test_standing_statistics_are_those_of_the_samples(truncation):
    sampler = make_sampler(NormalizedGenerator(), batch_size=500)
    sampler.collect_standing(
        20, SamplingSettings(0, truncation=truncation), batch_size=150
    )
    samples = sampler.sample(2000, SamplingSettings(0, truncation=truncation))
    np.testing.assert_allclose(samples.images.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(samples.images.var(0), 1, atol=0.1)
    # U(-1, 1) A has the variance |A|^2 / 3 a column.
    standing = sampler.graph.generator.normalize.standing_variance.numpy()
    expected = truncation**2 * (MATRIX**2).sum(axis=0) / 3
    np.testing.assert_allclose(standing, expected, rtol=0.1)


def standing_latents(seed: int, num: int) -> np.ndarray:
    """Every fourth key from 2 on, in blocks of 64: committed numbers depend on it."""
    draw = functools.partial(tf.random.stateless_uniform, alg="philox")
    keys = [[seed, 4 * block + 2] for block in range(-(-num // 64))]
    blocks = [draw((64, DIM), key, -1, 1) for key in keys]
    return np.concatenate(blocks)[:num].astype(np.float64)


class ResidualGenerator(NormalizedGenerator):
    """images = z A + batch_norm(z A): the second term's sum over a batch is constant.

    So the latents' gradient is A's row sums with the batch's statistics, and not with
    standing ones.
    """

    def call(self, latents, labels=None, training=True):
        return latents @ self.matrix + super().call(latents, labels, training)


@pytest.mark.parametrize("steps", [0, 2])
def test_standing_latents_are_optimized_and_not_those_of_the_samples(steps):
    optimizer = latent.LatentOptimizer(NGD, num_steps=5)
    sampler = make_sampler(ResidualGenerator(), optimizer, num_classes=0)
    sampler.collect_standing(
        7, SamplingSettings(3, latent_steps=steps, truncation=0.5), batch_size=10
    )
    latents = standing_latents(3, 70)
    gradient = MATRIX.sum(axis=1)
    delta = 0.3 * gradient / (0.1 + gradient @ gradient)
    moved = np.split(np.clip(0.5 * latents + steps * delta, -1, 1), 7)
    squares = np.mean([((z @ MATRIX) ** 2).mean(0) for z in moved], axis=0)
    means = np.mean([(z @ MATRIX).mean(0) for z in moved], axis=0)
    layer = sampler.graph.generator.normalize
    np.testing.assert_allclose(layer.standing_mean, means, atol=1e-5)
    np.testing.assert_allclose(layer.standing_variance, squares - means**2, rtol=1e-4)
    drawn = sampler.sample(100, SamplingSettings(3)).latents
    assert not np.intersect1d(latents.astype(np.float32), drawn).size


def test_the_whole_path_with_sngan():
    generator = sngan.Generator(16, 3, width=4, latent_dim=8)
    discriminator = sngan.Discriminator(16, 3, width=4)
    optimizer = latent.LatentOptimizer(NGD, 0.8)
    graph = SamplingGraph(generator, discriminator, optimizer, uniform_prior, 1000)
    sampler = Sampler(graph)
    sampler.collect_standing(2, SamplingSettings(1))
    images = sampler.sample(3, SamplingSettings(0, latent_steps=2)).images
    assert images.shape == (3, 16, 16, 3)
    assert np.abs(images).max() <= 1
    assert images.std() > 0
    scores = discriminator(images)
    plain = sampler.sample(3, SamplingSettings()).images
    assert (scores > discriminator(plain)).numpy().all()


@pytest.mark.parametrize("steps", [0, 2])
def test_batches_are_the_samples_bit_for_bit(steps):
    sampler = make_sampler(ResidualGenerator(), latent.LatentOptimizer(NGD))
    settings, labels = SamplingSettings(4, steps), np.arange(40) % 3
    whole = sampler.sample(40, settings, labels=labels)
    parts = list(sampler.batches(40, settings, labels=labels))
    assert [len(part.images) for part in parts] == [16, 16, 8]
    for name, values in zip(whole._fields, whole, strict=True):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(values, joined)
    rest = sampler.batches(24, settings, first=16, labels=labels[16:])
    for later, part in zip(rest, parts[1:], strict=True):
        np.testing.assert_array_equal(later.images, part.images)


@pytest.mark.parametrize("steps", [0, 2])
def test_rows_are_straight_lines_between_samples(steps):
    sampler = make_sampler(optimizer=latent.LatentOptimizer(NGD))
    settings = SamplingSettings(4, steps, 0.5)
    ends = sampler.sample(14, settings)
    lines = sampler.sample(35, settings, interpolate=5)
    latents = lines.latents.reshape(7, 5, DIM)
    np.testing.assert_array_equal(latents[:, 0], ends.latents[::2])
    np.testing.assert_array_equal(latents[:, -1], ends.latents[1::2])
    curvature = np.diff(latents, n=2, axis=1)
    np.testing.assert_allclose(curvature, np.zeros_like(curvature), atol=1e-6)
    np.testing.assert_array_equal(lines.labels, np.repeat(ends.labels[::2], 5))
    expected = lines.latents @ MATRIX + lines.labels[:, None]
    np.testing.assert_allclose(lines.images, expected, atol=1e-5)


@pytest.mark.parametrize(("num", "columns"), [(10, 4), (4, 1), (4, -2), (2, 4)])
def test_what_is_no_number_of_rows_is_refused(num, columns):
    with pytest.raises(ConfigurationError, match="rows"):
        make_sampler().sample(num, SamplingSettings(), interpolate=columns)
