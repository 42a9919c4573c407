"""FID, IS and KID against oracles in float64 that share no code with them."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.metrics import distances, tf_gan
from logan_tf.metrics.moments import moments_of


def _cloud(num, dim, seed, scale=1.0, offset=0.0, rank=None):
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(num, rank or dim))
    mixing = generator.normal(size=(rank or dim, dim)) / math.sqrt(dim)
    return scale * factors @ mixing + offset


def _frechet(a, b):
    """By the singular values of A Bᵀ, where S_a = Aᵀ A: no root of a matrix."""
    roots = [(x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b)]
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    squares = sum((root**2).sum() for root in roots)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + squares - 2 * cross


def _tf_gans_frechet(a, b):
    """With clouds of the order of 1, for TF-GAN's threshold is absolute."""
    scale = math.sqrt(np.var(a, axis=0).mean())
    a, b = a / scale, b / scale
    covariances = [np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b)]
    cross = tf_gan._classifier_metrics().trace_sqrt_product(
        *map(tf.constant, covariances)
    )
    traces = sum(np.trace(covariance) for covariance in covariances)
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return scale**2 * (means + traces - 2 * float(cross))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param(_cloud(400, 24, 1), _cloud(300, 24, 2, 1.5), id="full rank"),
        pytest.param(_cloud(40, 96, 3), _cloud(50, 96, 4), id="fewer than d"),
        pytest.param(_cloud(20, 96, 3), _cloud(500, 96, 4), id="one of low rank"),
        pytest.param(
            _cloud(200, 64, 5, rank=3), _cloud(200, 64, 6, rank=5), id="rank deficient"
        ),
        pytest.param(
            _cloud(300, 32, 9) * np.geomspace(1, 1e-3, 32),
            _cloud(300, 32, 7) * np.geomspace(1, 1e-3, 32),
            id="falling variances",
        ),
        pytest.param(_cloud(2, 3, 10), _cloud(2, 3, 11), id="two examples"),
        pytest.param(_cloud(50, 1, 12), _cloud(60, 1, 13, 2.0), id="one dimension"),
        pytest.param(
            _cloud(300, 16, 14, offset=1e4), _cloud(300, 16, 15, 2.0, 1e4), id="far off"
        ),
    ],
)
def test_frechet_distance(a, b, scale):
    a, b = scale * a, scale * b
    found = distances.frechet_distance(a, b)
    assert found == pytest.approx(_frechet(a, b), rel=1e-9)
    assert found == pytest.approx(_tf_gans_frechet(a, b), rel=1e-5)
    assert distances.frechet_distance(b, a) == pytest.approx(found, rel=1e-9)
    cached = distances.frechet_distance(moments_of(a), b)
    assert cached == pytest.approx(found, rel=1e-12)


def test_frechet_distance_of_unlike_scales():
    a, b = _cloud(100, 8, 9, 1e-6), _cloud(100, 8, 9, 1e6)
    assert distances.frechet_distance(a, b) == pytest.approx(_frechet(a, b), rel=1e-9)


def test_frechet_distance_of_float32_features_is_computed_in_float64():
    a, b = (_cloud(500, 12, seed, offset=100.0) for seed in (1, 2))
    a, b = a.astype(np.float32), b.astype(np.float32)
    expected = _frechet(a.astype(np.float64), b.astype(np.float64))
    assert distances.frechet_distance(a, b) == pytest.approx(expected, rel=1e-7)


def test_frechet_distance_in_closed_form():
    a = np.array([[-1.0, 0.0], [1.0, 0.0]])  # variances 2 and 0
    moved = a + np.array([0.0, 3.0])
    assert distances.frechet_distance(a, moved) == pytest.approx(9.0)
    assert distances.frechet_distance(a, 3 * a) == pytest.approx(2 * (3 - 1) ** 2)
    assert distances.frechet_distance(a, a) == pytest.approx(0.0, abs=1e-9)
    point = np.zeros((5, 2))
    assert distances.frechet_distance(a, point) == pytest.approx(2.0)


def test_per_class_frechet_distance():
    real, generated = _cloud(60, 4, 1), _cloud(90, 4, 2, 2.0)
    real_labels, labels = np.arange(60) % 3, np.arange(90) % 4
    found = distances.per_class_frechet_distance(real, real_labels, generated, labels)
    assert sorted(found) == [0, 1, 2]
    for label, distance in found.items():
        expected = _frechet(real[label::3], generated[label::4])
        assert distance == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ConfigurationError, match="two examples"):
        distances.per_class_frechet_distance(real, real_labels, generated, labels + 9)


def _score(logits):
    shares = []
    for row in logits.tolist():
        total = math.fsum(math.exp(x - max(row)) for x in row)
        shares.append([math.exp(x - max(row)) / total for x in row])
    marginal = [math.fsum(column) / len(shares) for column in zip(*shares, strict=True)]
    divergences = [
        math.fsum(p * math.log(p / q) for p, q in zip(row, marginal, strict=True) if p)
        for row in shares
    ]
    return math.exp(math.fsum(divergences) / len(divergences))


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_inception_score(scale):
    logits = scale * np.random.default_rng(0).normal(size=(200, 7))
    assert distances.inception_score(logits) == pytest.approx(_score(logits), rel=1e-9)
    single = distances.inception_score(logits.astype(np.float32))
    assert single == pytest.approx(_score(logits), rel=1e-5)


def test_inception_score_in_closed_form():
    sure = 1e3 * np.eye(10)[np.arange(1000) % 10]
    assert distances.inception_score(sure) == pytest.approx(10.0)
    assert distances.inception_score(np.zeros((50, 10))) == pytest.approx(1.0)


def test_inception_score_of_shuffled_splits():
    logits = 5 * np.eye(10)[np.arange(1003) // 101]  # sorted by class
    mean, deviation = distances.inception_score_splits(logits, seed=3)
    order = np.random.default_rng(3).permutation(1003)
    scores = [_score(logits[order[100 * i : 100 * i + 100]]) for i in range(10)]
    assert mean == pytest.approx(np.mean(scores), rel=1e-9)
    assert deviation == pytest.approx(np.std(scores), rel=1e-6)
    # Unshuffled splits would each show a class or two.
    assert mean > 0.8 * distances.inception_score(logits)
    with pytest.raises(ConfigurationError, match="splits"):
        distances.inception_score_splits(logits[:19])


def _kernel_distance(a, b):
    """The unbiased estimate, pair by pair."""

    def kernel(x, y):
        return (math.fsum(map(float.__mul__, x, y)) / len(x) + 1) ** 3

    def mean(values):
        values = list(values)
        return math.fsum(values) / len(values)

    a, b = a.tolist(), b.tolist()
    within = [
        mean(itertools.starmap(kernel, itertools.permutations(x, 2))) for x in (a, b)
    ]
    return sum(within) - 2 * mean(itertools.starmap(kernel, itertools.product(a, b)))


def test_kernel_distance_of_one_block():
    a, b = _cloud(30, 5, 1), _cloud(40, 5, 2, 1.5, 0.2)
    distance, error = distances.kernel_distance(a, b)
    assert distance == pytest.approx(_kernel_distance(a, b), rel=1e-9)
    assert error is None


def test_kernel_distance_of_shuffled_blocks():
    a, b = _cloud(60, 5, 1), _cloud(60, 5, 2, 1.5, 0.2)
    distance, error = distances.kernel_distance(a, b, block_size=20, seed=4)
    generator = np.random.default_rng(4)
    parts = [np.split(generator.permutation(x, axis=0), 3) for x in (a, b)]
    blocks = [_kernel_distance(*pair) for pair in zip(*parts, strict=True)]
    assert distance == pytest.approx(np.mean(blocks), rel=1e-9)
    expected = np.std(blocks, ddof=1) / math.sqrt(3)
    assert error == pytest.approx(expected, rel=1e-9)


GOOD = _cloud(20, 3, 1)
BAD = {
    "one example": (GOOD[:1], "2"),
    "none": (GOOD[:0], "shape"),
    "no matrix": (GOOD[0], "shape"),
    "integers": (np.ones((20, 3), np.int32), "floats"),
    "NaN": (np.where(GOOD[7, 1] == GOOD, np.nan, GOOD), "NaN"),
    "Inf": (np.where(GOOD[7, 1] == GOOD, np.inf, GOOD), "Inf"),
}


@pytest.mark.parametrize("name", BAD)
def test_features_that_cannot_be_judged(name):
    bad, cause = BAD[name]
    calls = [
        lambda: distances.frechet_distance(GOOD, bad),
        lambda: distances.frechet_distance(bad, moments_of(GOOD)),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match=cause) as error:
            call()
        assert "\n" not in str(error.value)


def test_blocks_of_one_feature_are_refused():
    for sizes in ((20, 20, 1), (40, 3, 10)):
        a, b = _cloud(sizes[0], 3, 1), _cloud(sizes[1], 3, 2)
        with pytest.raises(ConfigurationError, match="block_size"):
            distances.kernel_distance(a, b, block_size=sizes[2])
