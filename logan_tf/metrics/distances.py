"""Distances between the features of real images and of samples; scores of samples.

Sources: Heusel et al. 2017 (FID), Salimans et al. 2016 (inception score), Binkowski et
al. 2018 (KID), the last two by TF-GAN's arithmetic in float64. `manifolds` has
precision and recall, `modes` what is counted.
"""

import math

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from logan_tf.errors import ConfigurationError
from logan_tf.metrics import tf_gan
from logan_tf.metrics.moments import FeatureMoments, checked_features, moments_of


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
      ConfigurationError: features of one example only, with NaN or Inf.
    """
    first, second = (
        x if isinstance(x, FeatureMoments) else moments_of(x) for x in (a, b)
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
      ConfigurationError: no such class.
    """
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
      ConfigurationError: another shape, NaN or Inf.
    """
    return tf_gan.classifier_score(checked_features(logits, "logits"))


def inception_score_splits(
    logits: np.ndarray, *, num_splits: int = 10, seed: int = 0
) -> tuple[float, float]:
    """The same of shuffled splits, as Salimans et al. 2016 report it.

    The deviation is NumPy's (n in the denominator), as in the published numbers.

    Args:
      logits: floats [n, classes], n at least twice `num_splits`.
      num_splits: how many equal parts; what is left over is not counted.
      seed: of the shuffle.

    Returns:
      Their mean and standard deviation.

    Raises:
      ConfigurationError: as `inception_score`; fewer than two samples a split.
    """
    size = len(logits) // max(num_splits, 1)
    if num_splits < 1 or size < 2:
        raise ConfigurationError(
            f"{len(logits)} samples make no {num_splits} splits: each needs 2 or more"
        )
    order = np.random.default_rng(seed).permutation(len(logits))
    parts = order[: num_splits * size].reshape(num_splits, size)
    scores = [tf_gan.classifier_score(logits[part]) for part in parts]
    return float(np.mean(scores)), float(np.std(scores))


def kernel_distance(
    a: np.ndarray, b: np.ndarray, *, block_size: int = 1000, seed: int = 0
) -> tuple[float, float | None]:
    """KID: the unbiased squared MMD under (x·y/d + 1)^3, averaged over blocks.

    Args:
      a: features [n, d], n at least 2.
      b: features [m, d], m at least 2.
      block_size: at most so many of the larger set in a block.
      seed: both sets are shuffled, so that no block is a class.

    Returns:
      The distance, and the standard error of its mean over blocks; None with one.

    Raises:
      ConfigurationError: blocks of one.
    """
    num_blocks = math.ceil(max(len(a), len(b)) / max(block_size, 1))
    if block_size < 2 or min(len(a), len(b)) // num_blocks < 2:
        raise ConfigurationError(
            f"blocks of {block_size} leave fewer than 2 of {len(a)} and "
            f"{len(b)} features in a block: give a larger block_size"
        )
    generator = np.random.default_rng(seed)
    first, second = (generator.permutation(x, axis=0) for x in (a, b))
    value, error = tf_gan.kernel_distance(first, second, block_size)
    return value, error if num_blocks > 1 else None
