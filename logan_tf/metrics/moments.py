"""Mean and covariance of features that never lie in memory all at once."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

from logan_tf.errors import ConfigurationError

_ROWS = 1024


class FeatureMoments(NamedTuple):
    """The moments of a Gaussian."""

    mean: np.ndarray
    """float64 [d]."""
    covariance: np.ndarray
    """float64 [d, d], unbiased (n - 1 in the denominator)."""


class MomentsAccumulator:
    """Sums features up in float64, part by part.

    The mean of the first part is taken off before anything is squared: features with
    large means would lose their digits in E[x²] - E[x]².
    """

    def __init__(self) -> None:
        self.count = 0
        self._shift = np.zeros(0)
        self._sum = np.zeros(0)
        self._squares = np.zeros((0, 0))

    def add(self, features: np.ndarray) -> None:
        """Adds features [n, d].

        Raises:
          ConfigurationError: another shape, another d than before, NaN or Inf.
        """
        features = checked_features(features)
        dim = features.shape[1]
        if self.count == 0:
            self._shift = features.mean(axis=0, dtype=np.float64)
            self._sum = np.zeros(dim)
            self._squares = np.zeros((dim, dim), order="F")
        elif dim != len(self._shift):
            raise ConfigurationError(
                f"features have {dim} dimensions, those before had "
                f"{len(self._shift)}: give features of one classifier"
            )
        for first in range(0, len(features), _ROWS):
            centered = features[first : first + _ROWS] - self._shift
            self._sum += centered.sum(axis=0)
            # The symmetric product: one triangle, half the work of a general one.
            self._squares = blas.dsyrk(
                1.0, centered.T, beta=1.0, c=self._squares, overwrite_c=1
            )
        self.count += len(features)

    def moments(self) -> FeatureMoments:
        """The moments of all that was added.

        Raises:
          ConfigurationError: fewer than two examples.
        """
        if self.count < 2:
            raise ConfigurationError(
                f"{self.count} examples have no covariance: give 2 or more"
            )
        upper = np.triu(self._squares)
        squares = upper + np.triu(upper, 1).T
        mean = self._sum / self.count
        squares -= self.count * np.outer(mean, mean)
        return FeatureMoments(self._shift + mean, squares / (self.count - 1))


def moments_of(features: np.ndarray) -> FeatureMoments:
    """The moments of features [n, d], n at least 2."""
    accumulator = MomentsAccumulator()
    accumulator.add(features)
    return accumulator.moments()


def checked_features(features: np.ndarray, what: str = "features") -> np.ndarray:
    """Features as an array, if they are floats [n, d] without NaN and Inf.

    Raises:
      ConfigurationError: they are not.
    """
    features = np.asarray(features)
    if features.ndim != 2 or 0 in features.shape:
        raise ConfigurationError(
            f"{what} have the shape {features.shape}: give [n, d], n and d at least 1"
        )
    if not np.issubdtype(features.dtype, np.floating):
        raise ConfigurationError(f"{what} are {features.dtype}: give floats")
    if not np.isfinite(features).all():
        raise ConfigurationError(
            f"{what} hold NaN or Inf: choose an earlier checkpoint, or check the "
            "classifier"
        )
    return features
