import collections
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logan_tf.data.points import Grid
from logan_tf.errors import ConfigurationError
from logan_tf.metrics.modes import mode_coverage, point_modes

LABELS = st.lists(st.integers(0, 19), min_size=1, max_size=200)


@given(LABELS)
@settings(deadline=None)
def test_mode_coverage_is_the_textbook_divergence(labels):
    counts = collections.Counter(labels)
    expected = math.fsum(
        n / len(labels) * math.log(n / len(labels) / (1 / 20)) for n in counts.values()
    )
    found = mode_coverage(np.array(labels), 20)
    assert found.modes == len(set(labels))
    assert found.reverse_kl == pytest.approx(expected, abs=1e-12)
    assert 0 <= found.reverse_kl <= math.log(20) + 1e-12


@pytest.mark.parametrize(
    ("labels", "modes", "reverse_kl"),
    [
        (np.arange(1000), 1000, 0.0),
        (np.zeros(26_000, np.int32), 1, math.log(1000)),
        (np.arange(0, 1000, 2), 500, math.log(2)),
        (np.array([999]), 1, math.log(1000)),
    ],
)
def test_mode_coverage_in_closed_form(labels, modes, reverse_kl):
    found = mode_coverage(labels, 1000)
    assert found.modes == modes
    assert found.reverse_kl == pytest.approx(reverse_kl, abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "num_modes", "cause"),
    [
        (np.array([0, -1]), 10, r"\[-1, 0\]"),
        (np.array([0, 10]), 10, r"\[0, 10\].*\[0, 9\]"),
    ],
)
def test_mode_coverage_refuses(labels, num_modes, cause):
    with pytest.raises(ConfigurationError, match=cause):
        mode_coverage(labels, num_modes)


POINTS = st.lists(
    st.tuples(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32)),
    min_size=1,
    max_size=60,
)


@given(POINTS)
@settings(deadline=None)
def test_point_modes_against_a_loop(points):
    modes = [(-1.0, 0.0), (1.0, 0.5), (0.0, 2.0)]
    sigma = 0.25
    good, nearest_modes, found_modes = 0, [], set()
    for point in points:
        distances = [math.dist(point, mode) for mode in modes]
        nearest = distances.index(min(distances))
        nearest_modes.append(nearest)
        if min(distances) <= 3 * sigma:
            good += 1
            found_modes.add(nearest)
    shares = [nearest_modes.count(k) / len(points) for k in range(3)]
    reverse_kl = sum(p * math.log(3 * p) for p in shares if p)
    found = point_modes(np.array(points), np.array(modes), sigma)
    assert found.modes == len(found_modes)
    assert found.high_quality == pytest.approx(good / len(points))
    assert found.reverse_kl == pytest.approx(reverse_kl, abs=1e-12)


def test_a_mode_is_found_by_a_point_within_three_sigma_only():
    modes = np.array([[0.0, 0.0], [10.0, 0.0]])
    near = point_modes(np.array([[0.0, 0.29], [10.29, 0.0]]), modes, 0.1)
    assert near == (2, 1.0, 0.0)
    far = point_modes(np.array([[0.0, 0.29], [10.31, 0.0]]), modes, 0.1)
    # The far point finds nothing, yet it counts in the histogram.
    assert far == (1, 0.5, 0.0)


def test_real_points_are_of_high_quality_as_rayleigh_says():
    grid = Grid()
    points, _ = next(iter(grid.examples(seed=(1, 0), first=0, count=20_000)))
    found = point_modes(points.numpy(), grid.modes, grid.sigma)
    expected = 1 - math.exp(-4.5)
    error = math.sqrt(expected * (1 - expected) / 20_000)
    assert found.modes == 25
    assert abs(found.high_quality - expected) < 4 * error
    assert found.reverse_kl < 5 * 24 / (2 * 20_000)


def test_points_of_other_dimensions_are_refused():
    with pytest.raises(ConfigurationError, match="do not match"):
        point_modes(np.zeros((1, 3)), np.zeros((1, 2)), 1.0)
