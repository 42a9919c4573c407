import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import random_access

_SEED = tf.constant([3, 0], tf.int64)


def _indices(first, count, n, seed=_SEED):
    return random_access.shuffled_indices(
        seed, tf.constant(first, tf.int64), count=count, num_examples=n
    ).numpy()


def _words(first, count, seed=_SEED):
    return random_access.random_words(seed, tf.constant(first, tf.int64), count).numpy()


@pytest.mark.parametrize("n", [1, 2, 7, 64, 1000])
def test_each_epoch_is_a_permutation(n):
    epochs = [_indices(e * n, n, n) for e in range(3)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(n))
    if n > 7:
        assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize("first", [0, 1, 36, 37, 60, 37 * 10**6 + 20])
def test_entry_point_does_not_change_the_order(first):
    whole = np.concatenate([_indices(first + i, 1, 37) for i in range(37)])
    np.testing.assert_array_equal(_indices(first, 37, 37), whole)


def test_permutations_of_successive_epochs_are_uniform():
    """Raw seeds (0, epoch) would give a mean χ² above 40 here."""
    n, num_epochs, bins = 1440, 600, 16
    order = tf.function(
        lambda first: random_access.shuffled_indices(
            tf.constant([0, 0], tf.int64), first, count=n, num_examples=n
        )
    )
    epochs = [order(tf.constant(e * n, tf.int64)).numpy() for e in range(num_epochs)]
    bucket = np.stack(epochs) * bins // n
    counts = np.stack([(bucket == b).sum(axis=0) for b in range(bins)])
    expected = num_epochs / bins
    chi_squared = ((counts - expected) ** 2 / expected).sum(axis=0)
    assert 14 < chi_squared.mean() < 16.5  # 15 degrees of freedom.


@pytest.mark.parametrize("other", [[4, 0], [3, 1], [3 + 2**32, 0], [-3, 0]])
def test_other_seeds_draw_other_numbers(other):
    seed = tf.constant(other, tf.int64)
    assert not np.array_equal(_indices(0, 50, 50), _indices(0, 50, 50, seed))
    assert not (_words(0, 50) == _words(0, 50, seed)).any()


def test_words_belong_to_their_position():
    whole = _words(5, 40)
    assert whole.shape == (40, 4)
    for first in (6, 17, 44):
        np.testing.assert_array_equal(_words(first, 1)[0], whole[first - 5])
    assert np.unique(whole).size == whole.size


def test_words_are_uniform():
    words = _words(0, 20_000)
    assert words.min() >= 0
    assert words.max() < 2**32
    for column in words.T:
        counts = np.bincount(column >> 28, minlength=16)
        assert ((counts - 1250) ** 2 / 1250).sum() < 45  # p = 1e-4 at 15 degrees.
    correlation = np.corrcoef(words.T) - np.eye(4)
    assert np.abs(correlation).max() < 0.03  # 4 standard deviations.


def test_derived_seeds_differ_and_ignore_the_global_seed():
    paths = [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (2**40,)]
    seeds = {tuple(random_access.derive_seed(_SEED, *p).numpy()) for p in paths}
    assert len(seeds) == len(paths)
    before = random_access.derive_seed(_SEED, 7).numpy()
    tf.random.set_seed(1)
    np.testing.assert_array_equal(random_access.derive_seed(_SEED, 7), before)


@pytest.mark.parametrize("shape", [(5,), (64, 3, 7)])
def test_uniform_numbers_are_tensorflows_on_a_cpu(shape):
    seed = tf.constant([123456789012, 7], tf.int64)
    found = random_access.uniform(shape, seed)
    expected = tf.random.stateless_uniform(shape, seed, alg="philox")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("xla")
def test_uniform_numbers_are_the_same_where_xla_compiles():
    # TensorFlow's own are others then. The seed is given: constants would be folded.
    compiled = tf.function(
        lambda s: random_access.uniform((64, 3), s), jit_compile=True
    )
    seed = tf.constant([5, 1], tf.int64)
    np.testing.assert_array_equal(compiled(seed), random_access.uniform((64, 3), seed))
