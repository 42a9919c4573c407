"""Appendix F against plain loops and SciPy's filters."""

import numpy as np
import pytest
from scipy import ndimage

from logan_tf.studies import series


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(5, 2, 100)


@pytest.mark.parametrize("window", [2, 7, 20])
def test_moving_average_is_the_mean_of_what_follows(x, window):
    found = series.moving_average(x, window)
    assert len(found) == 100 - window + 1
    centered = ndimage.uniform_filter1d(x, window, origin=0)
    np.testing.assert_allclose(found, centered[window // 2 :][: len(found)])
    assert found[3] == pytest.approx(sum(x[3 : 3 + window]) / window)


@pytest.mark.parametrize("window", [2, 20])
def test_normalized_is_eq_47(x, window):
    expected = []
    for t in range(len(x) - window + 1):
        mean = sum(x[t : t + window]) / window
        squares = sum((value - mean) ** 2 for value in x[t : t + window])
        expected.append(x[t] / (squares / (window - 1)) ** 0.5)
    np.testing.assert_allclose(series.normalized(x, window), expected)


def test_a_constant_has_no_deviation_to_divide_by():
    found = series.normalized(np.array([1.0, 1, 1, 2, 3]), 2)
    np.testing.assert_array_equal(np.isnan(found), [True, True, False, False])


def test_moving_median_leaves_nan_out(x):
    x[5] = np.nan
    found = series.moving_median(x, 4)
    assert found[4] == np.median([x[4], x[6], x[7]])
    assert len(found) == 97


def test_a_short_series_keeps_most_of_itself():
    assert [series.at_most(20, n) for n in (4, 40, 80, 4000)] == [2, 10, 20, 20]
