"""Distances between the features of real images and of samples; scores of samples.

Sources: Heusel et al. 2017 (FID), Salimans et al. 2016 (inception score), Binkowski et
al. 2018 (KID), the last two by TF-GAN's arithmetic in float64. `manifolds` has
precision and recall, `modes` what is counted.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from logan_tf.errors import ConfigurationError
from logan_tf.metrics import tf_gan
from logan_tf.metrics.moments import FeatureMoments, checked_features, moments_of


class ScoreSplits(NamedTuple):
    """Inception scores of equal splits: their mean and standard deviation."""

    mean: float
    deviation: float


class KernelDistance(NamedTuple):
    """KID, and the standard error of its mean over blocks; None with one block."""

    value: float
    standard_error: float | None


def frechet_distance(
    a: np.ndarray | FeatureMoments, b: np.ndarray | FeatureMoments
) -> float:
    """|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^.5), Heusel et al. 2017, eq. 6.

    Biased upwards for few examples: compare only numbers of the same n.

    Args:
      a: features, floats [n, d] with n at least 2, or their moments.
      b: the same, of the same d.

    Returns:
      The squared distance, 0 or more.

    Raises:
      ConfigurationError: other shapes, one example only, NaN or Inf.
    """
    first, second = (_checked_moments(x) for x in (a, b))
    if first.mean.shape != second.mean.shape:
        raise ConfigurationError(
            f"features of {len(first.mean)} and of {len(second.mean)} dimensions "
            "cannot be compared: use one classifier for both"
        )
    traces = [float(np.trace(moments.covariance)) for moments in (first, second)]
    means = float(np.sum((first.mean - second.mean) ** 2))
    cross = _trace_sqrt_product(first.covariance, second.covariance)
    # Rounding takes the distance of a cloud to itself a few 1e-15 below zero.
    return max(means + sum(traces) - 2 * cross, 0.0)


def _trace_sqrt_product(a: np.ndarray, b: np.ndarray) -> float:
    """tr (S_a S_b)^.5 of two covariances, float64 [d, d].

    With S_a = A'A and S_b = B'B it is the sum of the singular values of A B', which are
    the roots of the eigenvalues of (A B')(A B')'. The factors have as many rows as
    their covariance has rank, and the smaller side is squared: what rounding makes of
    eigenvalues that are zero would count with its root.
    """
    product = _factor(a) @ _factor(b).T
    if product.shape[0] > product.shape[1]:
        product = product.T
    if not product.size:
        return 0.0
    # Eigenvalues of a symmetric matrix take a quarter of the time of singular values.
    squares = linalg.eigvalsh(product @ product.T, check_finite=False)
    return float(np.sqrt(np.maximum(squares, 0.0)).sum())


def _factor(covariance: np.ndarray) -> np.ndarray:
    """F [rank, d] with F'F = covariance, by Cholesky's method with pivots."""
    upper, pivots, rank, _ = lapack.dpstrf(covariance)
    factor = np.zeros((rank, len(covariance)))
    factor[:, pivots - 1] = np.triu(upper[:rank])
    return factor


def per_class_frechet_distance(
    real: np.ndarray,
    real_labels: np.ndarray,
    generated: np.ndarray,
    generated_labels: np.ndarray,
) -> dict[int, float]:
    """The Fréchet distance between the features of each class.

    Args:
      real: features [n, d].
      real_labels: integers [n].
      generated: features [m, d].
      generated_labels: integers [m], the classes that were asked for.

    Returns:
      Class -> distance, for the classes of which both sides have two examples.

    Raises:
      ConfigurationError: as `frechet_distance`; labels of another length; no such
        class.
    """
    for features, labels in ((real, real_labels), (generated, generated_labels)):
        if len(features) != len(labels):
            raise ConfigurationError(
                f"{len(features)} features have {len(labels)} labels: give one each"
            )
    distances = {}
    for label in np.intersect1d(real_labels, generated_labels).tolist():
        ours, theirs = real[real_labels == label], generated[generated_labels == label]
        if min(len(ours), len(theirs)) > 1:
            distances[label] = frechet_distance(ours, theirs)
    if not distances:
        raise ConfigurationError(
            "no class has two examples on both sides: draw more samples"
        )
    return distances


def inception_score(logits: np.ndarray) -> float:
    """exp(E KL(p(y|x) || p(y))) over all samples at once, in [1, classes].

    Args:
      logits: floats [n, classes], n at least 2.

    Raises:
      ConfigurationError: another shape, one sample, NaN or Inf.
    """
    return tf_gan.classifier_score(_several(logits, "logits"))


def inception_score_splits(
    logits: np.ndarray, *, num_splits: int = 10, seed: int = 0
) -> ScoreSplits:
    """The same of shuffled splits, as Salimans et al. 2016 report it.

    The deviation is NumPy's (n in the denominator), as in the published numbers.

    Args:
      logits: floats [n, classes], n at least twice `num_splits`.
      num_splits: how many equal parts; what is left over is not counted.
      seed: of the shuffle.

    Raises:
      ConfigurationError: as `inception_score`; fewer than two samples a split.
    """
    logits = _several(logits, "logits")
    size = len(logits) // max(num_splits, 1)
    if num_splits < 1 or size < 2:
        raise ConfigurationError(
            f"{len(logits)} samples make no {num_splits} splits: each needs 2 or more"
        )
    order = np.random.default_rng(seed).permutation(len(logits))
    parts = order[: num_splits * size].reshape(num_splits, size)
    scores = [tf_gan.classifier_score(logits[part]) for part in parts]
    return ScoreSplits(float(np.mean(scores)), float(np.std(scores)))


def kernel_distance(
    a: np.ndarray, b: np.ndarray, *, block_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """KID: the unbiased squared MMD under (x·y/d + 1)^3, averaged over blocks.

    Args:
      a: features [n, d], n at least 2.
      b: features [m, d], m at least 2.
      block_size: at most so many of the larger set in a block.
      seed: both sets are shuffled, so that no block is a class.

    Raises:
      ConfigurationError: other shapes, one example only, NaN or Inf; blocks of one.
    """
    first, second = (_several(x, "features") for x in (a, b))
    if first.shape[1] != second.shape[1]:
        raise ConfigurationError(
            f"features of {first.shape[1]} and of {second.shape[1]} dimensions cannot "
            "be compared: use one classifier for both"
        )
    num_blocks = math.ceil(max(len(first), len(second)) / max(block_size, 1))
    if block_size < 2 or min(len(first), len(second)) // num_blocks < 2:
        raise ConfigurationError(
            f"blocks of {block_size} leave fewer than 2 of {len(first)} and "
            f"{len(second)} features in a block: give a larger block_size"
        )
    generator = np.random.default_rng(seed)
    first, second = (generator.permutation(x, axis=0) for x in (first, second))
    value, error = tf_gan.kernel_distance(first, second, block_size)
    return KernelDistance(value, error if num_blocks > 1 else None)


def _several(values: np.ndarray, what: str) -> np.ndarray:
    values = checked_features(values, what)
    if len(values) < 2:
        raise ConfigurationError(
            f"one example has no statistics: give 2 {what} or more"
        )
    return values


def _checked_moments(features: np.ndarray | FeatureMoments) -> FeatureMoments:
    if not isinstance(features, FeatureMoments):
        return moments_of(features)
    mean, covariance = features
    if covariance.shape != 2 * mean.shape:
        raise ConfigurationError(
            f"a mean {mean.shape} and a covariance {covariance.shape} do not match: "
            "give [d] and [d, d]"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ConfigurationError("the moments hold NaN or Inf: compute them again")
    return features
