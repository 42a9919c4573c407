import itertools

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import batch, priors
from logan_tf.data.digits import Digits
from logan_tf.data.points import Grid, Ring
from logan_tf.data.stacked_digits import StackedDigits
from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import ConfigurationError

_NUM_TRAIN = 1442


def _take(dataset, num, **kwargs):
    kwargs = {"batch_size": 6, "latent_dim": 3, "seed": 5} | kwargs
    return list(itertools.islice(batch.batches(dataset, **kwargs), num))


@pytest.fixture(scope="module")
def datasets(data_dir):
    return {
        "digits": Digits(8, data_dir),
        "stacked": StackedDigits(8, data_dir),
        "ring": Ring(),
        "grid": Grid(),
        "flipped": TFDSImages("digits", 8, 1, data_dir=data_dir, flip=True),
        "streamed": TFDSImages(
            "digits", 8, 1, data_dir=data_dir, flip=True, limit=0, shuffle_buffer=100
        ),
    }


@pytest.mark.parametrize(
    ("name", "first_step"),
    [
        ("digits", 1),
        ("digits", 6),
        ("streamed", 1),
        ("streamed", 6),
        ("flipped", 4),
        ("stacked", 3),
        ("ring", 3),
        ("grid", 3),
    ],
)
def test_resumed_batches_are_bit_identical_across_epochs(name, first_step, datasets):
    dataset = datasets[name]
    kwargs = {"batch_size": 206, "images_per_step": 2, "latents_per_step": 3}
    kwargs |= {"num_draws": 2}
    whole = _take(dataset, 9, **kwargs)  # 412 examples a step: epochs end in 3 and 6.
    resumed = _take(dataset, 9 - first_step, first_step=first_step, **kwargs)
    for expected, found in zip(whole[first_step:], resumed, strict=True):
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["digits", "stacked", "ring", "streamed"])
def test_specification_is_static_and_in_range(name, datasets):
    dataset = datasets[name]
    pipeline = batch.batches(
        dataset,
        batch_size=4,
        latent_dim=5,
        images_per_step=2,
        latents_per_step=3,
        seed=0,
    )
    spec = pipeline.element_spec
    assert isinstance(spec, batch.Batch)
    assert spec.images == tf.TensorSpec((4, 2, *dataset.shape), tf.float32)
    assert spec.labels == tf.TensorSpec((4, 2), tf.int32)
    assert spec.latents == tf.TensorSpec((4, 3, 5), tf.float32)
    assert spec.fake_labels == tf.TensorSpec((4, 3), tf.int32)
    first = next(iter(pipeline))
    labels = np.concatenate([np.ravel(first.labels), np.ravel(first.fake_labels)])
    assert labels.min() >= 0
    assert labels.max() < dataset.num_classes
    if len(dataset.shape) == 3:
        assert first.images.numpy().min() == -1
        assert 0.5 < first.images.numpy().max() <= 1


def test_latents_depend_on_neither_data_nor_images_per_step():
    reference = _take(Ring(), 3)
    for dataset, kwargs in [(Grid(), {}), (Ring(), {"images_per_step": 4})]:
        for expected, found in zip(reference, _take(dataset, 3, **kwargs), strict=True):
            np.testing.assert_array_equal(expected.latents, found.latents)


def test_draws_change_nothing_else():
    reference, drawn = _take(Ring(), 3), _take(Ring(), 3, num_draws=500)
    seen = []
    for expected, found in zip(reference, drawn, strict=True):
        for a, b in zip(expected[:4], found[:4], strict=True):
            np.testing.assert_array_equal(a, b)
        assert expected[4:] == ((), ())
        assert found.image_draws.shape == found.fake_draws.shape == (6, 1, 500)
        seen += [found.image_draws.numpy().ravel(), found.fake_draws.numpy().ravel()]
    numbers = np.concatenate(seen)
    assert len(np.unique(numbers)) > 0.99 * len(numbers)
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.01


@pytest.mark.parametrize("other", [{"seed": 6}, {"attempt": 1}, {"first_step": 1}])
@pytest.mark.parametrize("name", ["digits", "stacked", "grid"])
def test_other_seeds_attempts_and_steps_see_other_batches(name, other, datasets):
    dataset = datasets[name]
    (a,), (b,) = _take(dataset, 1), _take(dataset, 1, **other)
    assert not np.array_equal(a.images, b.images)
    assert not np.array_equal(a.labels, b.labels)
    assert not np.isin(a.latents, b.latents).any()
    assert not np.array_equal(a.fake_labels, b.fake_labels)


@pytest.mark.parametrize("name", ["flipped", "ring", "streamed"])
def test_global_seed_has_no_say(name, datasets):
    tf.random.set_seed(1)
    first = _take(datasets[name], 2)
    tf.random.set_seed(2)
    for a, b in zip(first, _take(datasets[name], 2), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_priors_have_their_moments():
    seed = tf.constant([1, 2], tf.int64)
    uniform = priors.uniform_prior((100, 400), seed).numpy()
    assert uniform.min() >= -1
    assert uniform.max() < 1
    assert abs(uniform.mean()) < 0.012  # 4 standard deviations.
    assert abs(uniform.var() - 1 / 3) < 0.006
    normal = priors.normal_prior((100, 400), seed).numpy()
    assert abs(normal.mean()) < 0.02
    assert abs(normal.var() - 1) < 0.03
    assert np.abs(normal).max() > 3.5
    np.testing.assert_array_equal(normal, priors.normal_prior((100, 400), seed))


def test_prior_is_the_callers_choice():
    (uniform,), (normal,) = (
        _take(Ring(), 1),
        _take(Ring(), 1, prior=priors.normal_prior),
    )
    assert not np.isin(uniform.latents, normal.latents).any()
    np.testing.assert_array_equal(uniform.images, normal.images)


def test_fake_labels_are_uniform_over_the_classes():
    (drawn,) = _take(Grid(), 1, batch_size=25 * 400)
    counts = np.bincount(drawn.fake_labels.numpy().ravel(), minlength=25)
    assert ((counts - 400) ** 2 / 400).sum() < 59  # p = 1e-4 at 24 degrees.


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"batch_size": 2.5}, "batch_size must be an integer, not 2.5"),
        ({"batch_size": True}, "batch_size must be an integer, not True"),
        ({"latent_dim": 0}, "latent_dim must be at least 1"),
        ({"images_per_step": 0}, "images_per_step must be at least 1"),
        ({"latents_per_step": 0}, "latents_per_step must be at least 1"),
        ({"num_draws": -1}, "num_draws must be at least 0"),
        ({"first_step": -1}, "first_step must be at least 0, not -1"),
        ({"attempt": -1}, "attempt must be at least 0"),
        ({"seed": 2**63}, "seed must be a 64-bit integer"),
        ({"seed": "abc"}, "seed must be an integer, not 'abc'"),
    ],
)
def test_wrong_numbers_are_refused(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        _take(Ring(), 1, **wrong)


@pytest.mark.parametrize("name", ["digits", "streamed"])
def test_more_examples_than_there_are_is_refused(name, datasets):
    kwargs = {"seed": (0, 0), "first": 0}
    with pytest.raises(ConfigurationError, match="lower batch_size"):
        datasets[name].examples(count=_NUM_TRAIN + 1, **kwargs)
    datasets[name].examples(count=_NUM_TRAIN, **kwargs)


@pytest.mark.parametrize("seed", [-1, 2**63 - 1, -(2**63)])
def test_any_64_bit_seed_works(seed):
    (drawn,) = _take(Ring(), 1, seed=seed)
    assert np.isfinite(drawn.images).all()
