"""Evaluations of several generation seeds: intervals, and what can be told apart."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from logan_tf.errors import ConfigurationError
from logan_tf.evaluation.receipts import Evaluation, MetricValues, require_comparable

CONFIDENCE = 0.95
LEAST_SEEDS = 5


class Difference(NamedTuple):
    """A metric of two evaluations."""

    first: float
    second: float
    interval: tuple[float, float]
    """Of second - first, 95 %, by Welch's t-test."""

    @property
    def is_told_apart(self) -> bool:
        """Whether the interval leaves out 0."""
        low, high = self.interval
        return low > 0 or high < 0


def combine(found: Sequence[MetricValues]) -> MetricValues:
    """The metrics of two seeds or more as one.

    Returns:
      Of each metric `value`, the mean; `interval`, in which the expected value lies
      with 95 % by Student's t; `deviation`, between the seeds; `values`, by seed; and
      what the evaluations agree on.
    """
    combined = {}
    for name, metric in found[0].items():
        values = [metrics[name]["value"] for metrics in found]
        mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
        half = float(quantile * deviation / math.sqrt(len(values)))
        agreed: dict[str, Any] = {
            key: value
            for key, value in metric.items()
            if key != "value" and all(m[name].get(key) == value for m in found)
        }
        combined[name] = {
            "value": mean,
            "interval": [mean - half, mean + half],
            **agreed,
            "deviation": deviation,
            "values": values,
        }
    return combined


def compare(first: Evaluation, second: Evaluation) -> dict[str, Difference]:
    """Says of each metric that both have how far apart they are.

    Args:
      first: of five seeds at least.
      second: the same, measured alike.

    Raises:
      ConfigurationError: unlike receipts, too few seeds, or no metric in common.
    """
    require_comparable(first.receipt, second.receipt)
    for evaluation in (first, second):
        if evaluation.receipt.num_seeds < LEAST_SEEDS:
            raise ConfigurationError(
                f"an evaluation of {evaluation.receipt.num_seeds} seed(s) does not say "
                f"how far chance goes: evaluate both with --seeds={LEAST_SEEDS} or more"
            )
    shared = [name for name in first.metrics if name in second.metrics]
    if not shared:
        raise ConfigurationError("these evaluations have no metric in common")
    return {
        name: difference(first.metrics[name]["values"], second.metrics[name]["values"])
        for name in shared
    }


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """How far apart the means of two samples are, each of two values or more."""
    means = float(np.mean(first)), float(np.mean(second))
    between = means[1] - means[0]
    if np.ptp(first) == np.ptp(second) == 0:  # no variance, which is no t-test's
        return Difference(*means, (between, between))
    test = stats.ttest_ind(second, first, equal_var=False)
    low, high = test.confidence_interval(CONFIDENCE)
    return Difference(*means, (float(low), float(high)))
