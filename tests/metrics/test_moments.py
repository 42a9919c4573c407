import numpy as np
import pytest

from logan_tf.errors import ConfigurationError
from logan_tf.metrics.moments import MomentsAccumulator, moments_of


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_are_numpys_however_the_features_arrive(offset, dtype):
    features = np.random.default_rng(0).normal(size=(2500, 6)) @ np.diag([1, 2, 3] * 2)
    features = (features + offset).astype(dtype)
    expected = features.astype(np.float64)
    for sizes in ([2500], [1, 1024, 1475], [7, 2493]):
        accumulator = MomentsAccumulator()
        for part in np.split(features, np.cumsum(sizes)[:-1]):
            accumulator.add(part)
        assert accumulator.count == 2500
        mean, covariance = accumulator.moments()
        assert mean.dtype == covariance.dtype == np.float64
        np.testing.assert_allclose(mean, expected.mean(0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(
            covariance, np.cov(expected, rowvar=False), rtol=1e-9, atol=1e-9
        )
        np.testing.assert_array_equal(covariance, covariance.T)


def test_moments_can_be_asked_for_twice():
    accumulator = MomentsAccumulator()
    accumulator.add(np.eye(3))
    first = accumulator.moments()
    np.testing.assert_array_equal(accumulator.moments().covariance, first.covariance)
    accumulator.add(2 * np.eye(3))
    both = np.concatenate([np.eye(3), 2 * np.eye(3)])
    np.testing.assert_allclose(
        accumulator.moments().covariance, np.cov(both, rowvar=False), atol=1e-12
    )


def test_one_example_and_other_dimensions_are_refused():
    with pytest.raises(ConfigurationError, match="2 or more"):
        moments_of(np.zeros((1, 3)))
    with pytest.raises(ConfigurationError, match="2 or more"):
        MomentsAccumulator().moments()
    accumulator = MomentsAccumulator()
    accumulator.add(np.zeros((2, 3)))
    with pytest.raises(ConfigurationError, match=r"4 dimensions.*had 3"):
        accumulator.add(np.zeros((2, 4)))
