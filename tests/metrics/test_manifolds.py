"""Precision, recall, density and coverage against loops over all pairs."""

import math

import numpy as np
import pytest

from logan_tf.errors import ConfigurationError
from logan_tf.metrics.manifolds import manifold_metrics


def _loops(real, generated, k):
    real, generated = real.tolist(), generated.tolist()

    def radius(points, index):
        distances = [math.dist(points[index], x) for x in points]
        del distances[index]
        return sorted(distances)[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    generated_radii = [radius(generated, i) for i in range(len(generated))]
    holds = [
        [math.dist(x, y) <= r for y in generated]
        for x, r in zip(real, real_radii, strict=True)
    ]
    precision = sum(any(row[j] for row in holds) for j in range(len(generated)))
    recall = sum(
        any(
            math.dist(x, y) <= r
            for y, r in zip(generated, generated_radii, strict=True)
        )
        for x in real
    )
    return (
        precision / len(generated),
        recall / len(real),
        sum(map(sum, holds)) / (k * len(generated)),
        sum(map(any, holds)) / len(real),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_loops(k, dtype):
    generator = np.random.default_rng(k)
    real = generator.normal(size=(120, 4)).astype(dtype)
    generated = (0.6 * generator.normal(size=(90, 4)) + 0.5).astype(dtype)
    found = manifold_metrics(real, generated, nearest=k)
    assert found == pytest.approx(_loops(real, generated, k), abs=1e-12)
    assert len(set(found)) == 4  # no two are mixed up


def test_the_chunks_change_nothing(monkeypatch):
    generator = np.random.default_rng(0)
    real, generated = generator.normal(size=(2, 300, 3))
    whole = manifold_metrics(real, generated)
    monkeypatch.setattr("logan_tf.metrics.manifolds._WORKING_MEMORY", 0.01)
    assert manifold_metrics(real, generated) == whole


def test_far_apart_and_the_same():
    points = np.random.default_rng(0).normal(size=(50, 2))
    assert manifold_metrics(points, points + 100) == (0, 0, 0, 0)
    same = manifold_metrics(points, points)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_examples_are_within_balls_of_radius_zero(dtype):
    points = np.random.default_rng(0).normal(100, 1, (20, 300)).astype(dtype)
    real, generated = np.repeat(points, 7, axis=0), np.repeat(points, 6, axis=0)
    # Of five others that are equal the fifth is as near as an example can be.
    assert manifold_metrics(real, generated, nearest=5) == (1, 1, 7 / 5, 1)


def test_an_example_on_the_edge_of_a_ball_is_within():
    """On a line of whole numbers every radius is a whole number, and so are ties."""
    real, generated = np.array([0, 2, 4, 6]), np.array([8, 10, 12, 14])
    found = manifold_metrics(real[:, None], generated[:, None], nearest=1)
    assert found == _loops(real[:, None], generated[:, None], 1)
    assert found == (1 / 4, 1 / 4, 1 / 4, 1 / 4)


@pytest.mark.parametrize(
    ("generated", "nearest", "cause"),
    [
        (np.zeros((5, 2)), 5, "5 nearest"),
        (np.zeros((9, 2)), 0, "0 nearest"),
    ],
)
def test_what_cannot_be_compared(generated, nearest, cause):
    with pytest.raises(ConfigurationError, match=cause):
        manifold_metrics(np.ones((9, 2)), generated, nearest=nearest)
