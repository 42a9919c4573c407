"""What points are judged by: the modes of the mixture that they reach."""

from typing import Any

import numpy as np

from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.evaluation import image_evaluation
from logan_tf.evaluation.neighbors import Neighbors
from logan_tf.evaluation.receipts import MetricValues
from logan_tf.metrics.modes import point_modes
from logan_tf.sampling.sampler import Sampler, Samples
from logan_tf.sampling.settings import SamplingSettings

_CONTROL = 2**40  # beside the seed: no batch of a training is drawn by it


class PointsModes:
    """Modes and high-quality share among 2,500 points (Srivastava et al. 2017).

    Args:
      dataset: what the generator was trained on, with `modes` and `sigma`.
    """

    name = "points_modes/1"
    num_samples = 2_500
    has_quick_control = False
    plotted = ("reverse_kl", "modes", "high_quality")

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def measured_with(self) -> dict[str, Any]:
        return {}

    def evaluate(
        self, sampler: Sampler, num_samples: int, settings: SamplingSettings
    ) -> MetricValues:
        points = sampler.sample(num_samples, settings).images
        if not np.isfinite(points).all():
            raise DivergedError(
                "the generator makes NaN or Inf: choose an earlier checkpoint"
            )
        return self._judge(points)

    def _judge(self, points: np.ndarray) -> MetricValues:
        found = point_modes(points, self._dataset.modes, self._dataset.sigma)
        return {
            "modes": {"value": found.modes, "of": len(self._dataset.modes)},
            "high_quality": {"value": found.high_quality},
            "reverse_kl": {"value": found.reverse_kl, "unit": "nats"},
        }

    def held_out(self, *, num_samples: int, seed: int) -> tuple[int, MetricValues]:
        drawn = self._dataset.examples(
            seed=(seed, _CONTROL), first=0, count=num_samples
        )
        points, _ = next(drawn.as_numpy_iterator())
        return num_samples, self._judge(points)

    def pictures(
        self, parts: image_evaluation.Parts, *, num_samples: int | None, seed: int
    ) -> tuple[int, MetricValues]:
        raise ConfigurationError(
            "this run makes points: no pictures can be judged as they are"
        )

    def doubts(self, num_judged: int, held_out: MetricValues) -> None:
        return None

    def neighbors(self, samples: Samples, nearest: int) -> Neighbors:
        raise ConfigurationError(
            "this run makes points, and bin/sample draws them among real ones: nearest "
            "neighbors are those of pictures"
        )
