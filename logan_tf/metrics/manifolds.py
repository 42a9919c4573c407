"""Precision, recall, density and coverage of samples, by nearest neighbors.

A set's manifold is the union of balls around its examples, each as large as the
distance to the k-th nearest example of the same set. Balls are closed, as in
Kynkäänniemi et al. 2019, eq. 1: of a set with many equal examples, such as a collapsed
generator's, the radius is 0 and its own examples are within.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from logan_tf.errors import ConfigurationError

_WORKING_MEMORY = 256  # MiB of distances at once


class ManifoldMetrics(NamedTuple):
    """Precision and recall: Kynkäänniemi et al. 2019, eq. 2; density and coverage:
    Naeem et al. 2020, eq. 4 and 6. All 0 or more, all but density at most 1.
    """

    precision: float
    """Share of the samples within the manifold of the real examples."""
    recall: float
    """Share of the real examples within the manifold of the samples."""
    density: float
    """How many real balls hold a sample, on average, over k."""
    coverage: float
    """Share of the real balls that hold a sample."""


def manifold_metrics(
    real: np.ndarray, generated: np.ndarray, *, nearest: int = 5
) -> ManifoldMetrics:
    """Compares two sets of features.

    Args:
      real: floats [n, d].
      generated: floats [m, d].
      nearest: k, at least 1, less than n and m.

    Raises:
      ConfigurationError: k out of its range.
    """
    if not 1 <= nearest < min(len(real), len(generated)):
        raise ConfigurationError(
            f"the {nearest} nearest neighbors of {len(generated)} samples and "
            f"{len(real)} real images: draw more samples, or lower ImageMetrics.nearest"
        )
    real, generated = (np.asarray(x, np.float64) for x in (real, generated))
    slack = _rounding(real, generated)
    real_radii, generated_radii = (
        np.square(_radii(x, nearest)) + slack for x in (real, generated)
    )
    balls: np.ndarray = np.zeros(len(generated), np.int64)  # real ones around each
    recalled, covered = [], []

    def count(distances: np.ndarray, first: int) -> None:
        radii = real_radii[first : first + len(distances), None]
        within = distances <= radii
        balls[:] += within.sum(axis=0)
        covered.append(within.any(axis=1))
        recalled.append((distances <= generated_radii).any(axis=1))

    for _ in pairwise_distances_chunked(
        real,
        generated,
        reduce_func=count,
        working_memory=_WORKING_MEMORY,
        squared=True,
    ):
        pass
    return ManifoldMetrics(
        precision=float((balls > 0).mean()),
        recall=float(np.concatenate(recalled).mean()),
        density=float(balls.mean() / nearest),
        coverage=float(np.concatenate(covered).mean()),
    )


def _radii(features: np.ndarray, nearest: int) -> np.ndarray:
    """The distance of each example to its k-th nearest other one, [n]."""
    # Brute force: trees are slower beyond some twenty dimensions. Without an argument
    # scikit-learn leaves the example itself out.
    index = NearestNeighbors(n_neighbors=nearest, algorithm="brute").fit(features)
    return index.kneighbors()[0][:, -1]


def _rounding(real: np.ndarray, generated: np.ndarray) -> float:
    """By how much equal squared distances can differ: ‖x‖² + ‖y‖² − 2 x·y cancels."""
    greatest = max(np.einsum("nd,nd->n", x, x).max() for x in (real, generated))
    return 4 * real.shape[1] * np.finfo(np.float64).eps * greatest
