"""Modes of points by protocol: samples, then counts (Srivastava et al. 2017)."""

from typing import Protocol

import numpy as np

from logan_tf.errors import DivergedError
from logan_tf.evaluation.receipts import MetricValues
from logan_tf.metrics.modes import point_modes
from logan_tf.sampling.sampler import Sampler
from logan_tf.sampling.settings import SamplingSettings

PROTOCOL = "points_modes/1"


class Mixture(Protocol):
    """What is needed of `logan_tf.data.points.Ring` and `Grid`."""

    modes: np.ndarray
    sigma: float


def evaluate_points(
    sampler: Sampler,
    mixture: Mixture,
    num_samples: int,
    settings: SamplingSettings,
) -> MetricValues:
    """Counts the modes among generated points [n, 2]; see `modes.point_modes`.

    Returns:
      `modes` of the mixture's; `high_quality`, the share within 3 sigma of the
      nearest mode; `reverse_kl` in nats.

    Raises:
      ConfigurationError: as `Sampler.sample`; a generator of anything but points.
      DivergedError: the generator makes NaN or Inf.
    """
    samples = sampler.sample(num_samples, settings)
    if not np.isfinite(samples.images).all():
        raise DivergedError(
            "the generator makes NaN or Inf: choose an earlier checkpoint"
        )
    found = point_modes(samples.images, mixture.modes, mixture.sigma)
    return {
        "modes": {"value": found.modes, "of": len(mixture.modes)},
        "high_quality": {"value": found.high_quality},
        "reverse_kl": {"value": found.reverse_kl, "unit": "nats"},
    }
