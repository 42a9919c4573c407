"""Which modes of the data samples reach, and how evenly.

Sources: Metz et al. 2016 ("Unrolled GANs", stacked digits), Srivastava et al. 2017
(VEEGAN, high-quality samples), Lin et al. 2018 (PacGAN, the protocol of both).
"""

from typing import NamedTuple

import numpy as np

from logan_tf.errors import ConfigurationError

HIGH_QUALITY_SIGMAS = 3.0


class ModeCoverage(NamedTuple):
    """Modes found, and KL(histogram || uniform) in nats, in [0, log(num_modes)]."""

    modes: int
    reverse_kl: float


class PointModes(NamedTuple):
    """Modes found, share of high-quality points, and KL to uniform in nats."""

    modes: int
    high_quality: float
    reverse_kl: float


def mode_coverage(labels: np.ndarray, num_modes: int) -> ModeCoverage:
    """Counts the modes among `labels` and compares their histogram to the uniform.

    Reverse KL as Metz et al. 2016 and PacGAN: sum_k p_k log(p_k num_modes), where p is
    the share of each mode among the samples. It is biased upwards by about
    (num_modes - 1) / (2 n): compare only numbers of the same n.

    Args:
      labels: integers [n], each in [0, num_modes).
      num_modes: the number of modes the data has.

    Raises:
      ConfigurationError: labels outside of the range.
    """
    if labels.min() < 0 or labels.max() >= num_modes:
        raise ConfigurationError(
            f"labels lie in [{labels.min()}, {labels.max()}]: with {num_modes} modes "
            f"they must lie in [0, {num_modes - 1}]"
        )
    counts = np.bincount(labels, minlength=num_modes)
    found = counts[counts > 0]
    shares = found / labels.size
    reverse_kl = float(np.sum(shares * np.log(shares * num_modes)))
    # Rounding takes an even histogram a few 1e-17 below zero, which no divergence is.
    return ModeCoverage(modes=found.size, reverse_kl=max(reverse_kl, 0.0))


def point_modes(points: np.ndarray, modes: np.ndarray, sigma: float) -> PointModes:
    """Counts the modes of an even Gaussian mixture that `points` reach.

    Convention (VEEGAN, PacGAN): a point belongs to its nearest mode and is of high
    quality within 3 sigma of it (Euclidean distance; 98.9 % of the real points in 2-D).
    A mode is found if at least one high-quality point belongs to it. The histogram of
    the reverse KL counts all points, those of low quality too.

    Args:
      points: float [n, dim].
      modes: float [num_modes, dim], the means of the components.
      sigma: the components' standard deviation, above 0.

    Raises:
      ConfigurationError: points of other dimensions.
    """
    points = np.asarray(points, np.float64)
    if points.shape[1:] != modes.shape[1:]:
        raise ConfigurationError(
            f"points {points.shape} and modes {modes.shape} do not match: give "
            "[n, dim] and [num_modes, dim]"
        )
    distances = np.linalg.norm(points[:, None] - modes[None], axis=-1)
    nearest = distances.argmin(axis=1)
    good = distances[np.arange(len(points)), nearest] <= HIGH_QUALITY_SIGMAS * sigma
    return PointModes(
        modes=np.unique(nearest[good]).size,
        high_quality=float(good.mean()),
        reverse_kl=mode_coverage(nearest, len(modes)).reverse_kl,
    )
