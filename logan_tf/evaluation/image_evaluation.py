"""One pass over images, and all that their classifier's outputs tell.

Images go through part by part; what stays in memory are sums, logits, and the features
of the first few thousand.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.evaluation.receipts import MetricValues
from logan_tf.evaluation.statistics_files import FeatureStatistics
from logan_tf.metrics import distances, manifolds
from logan_tf.metrics.classifiers import Classifier, joined
from logan_tf.metrics.modes import mode_coverage
from logan_tf.metrics.moments import MomentsAccumulator

CONFIDENCE = 0.9

Parts = Iterable[tuple[np.ndarray, np.ndarray]]
"""(images uint8 [n, height, width, channels], labels int32 [n]) part by part."""


@dataclasses.dataclass(frozen=True)
class Measures:
    """What is measured beside FID and IS.

    Attributes:
      kept: of so many images, at most, features are kept for KID, precision, recall,
        density, coverage and the FID of classes; 2 or more.
      nearest: k of the nearest neighbors.
      block_size: of KID.
      per_class: whether to measure an FID for each class.
      num_modes: 0: modes are not counted.
    """

    kept: int = 10_000
    nearest: int = 5
    block_size: int = 1000
    per_class: bool = False
    num_modes: int = 0


class Readings(NamedTuple):
    """What a classifier said of images."""

    statistics: FeatureStatistics
    logits: np.ndarray | None
    """float32 [n, classes]; None where the classifier has none."""
    confidences: np.ndarray | None
    """float32 [n]; None as these."""
    labels: np.ndarray
    """int32 [n]: the classes that were asked for."""


def read(parts: Parts, classifier: Classifier, kept: int) -> Readings:
    """Has all images read.

    Args:
      parts: the images.
      classifier: reads them.
      kept: how many images' features to keep.

    Raises:
      BadDataError: there are fewer than two images.
      ConfigurationError: the classifier does not fit them; NaN among its features.
    """
    accumulator = MomentsAccumulator()
    kept_outputs, labels = [], []
    for images, classes in parts:
        outputs = classifier.outputs(images)
        missing = max(kept - accumulator.count, 0)
        accumulator.add(outputs.features)
        kept_outputs.append(outputs._replace(features=outputs.features[:missing]))
        labels.append(classes)
    if accumulator.count < 2:
        raise BadDataError(
            f"{accumulator.count} images have no statistics: 2 are needed at least"
        )
    asked = np.concatenate(labels)
    whole = joined(kept_outputs)
    statistics = FeatureStatistics(accumulator.moments(), whole.features, asked[:kept])
    return Readings(statistics, whole.logits, whole.confidences, asked)


def first(num: int | None, parts: Parts) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The parts, cut after `num` images; None: whole."""
    for images, labels in parts:
        if num is not None and num <= 0:
            return
        yield images[:num], labels[:num]
        num = None if num is None else num - len(images)


def judge(
    readings: Readings, reference: FeatureStatistics, measures: Measures, seed: int
) -> MetricValues:
    """Compares what was read with the reference.

    Args:
      readings: of samples; without logits what needs none is measured.
      reference: of real images, by the same classifier; without features only what
        needs none is measured.
      measures: which ones.
      seed: of the shuffles.

    Returns:
      `fid`, `is`, `is_splits` (ten, shuffled; from 20 samples on) and, by features,
      `kid`, `precision`, `recall`, `density`, `coverage`, `fid_per_class` (the mean
      and each class's); by modes, what `count_modes` returns.

    Raises:
      ConfigurationError: see `logan_tf.metrics.distances`.
    """
    found: MetricValues = {
        "fid": {
            "value": distances.frechet_distance(
                readings.statistics.moments, reference.moments
            )
        }
    }
    if readings.logits is not None:
        found |= _by_logits(readings.logits, seed)
    if reference.features is not None:
        found |= _by_features(readings.statistics, reference, measures, seed)
    if measures.num_modes:
        logits, confidences = readings.logits, readings.confidences
        if logits is None or confidences is None:
            raise ConfigurationError(
                "the classifier has no logits, and its classes cannot be counted as "
                "modes: set ImageMetrics.num_modes = 0"
            )
        found |= count_modes(logits.argmax(axis=1), confidences, measures.num_modes)
    return found


def _by_logits(logits: np.ndarray, seed: int) -> MetricValues:
    found: MetricValues = {
        "is": {"value": distances.inception_score(logits), "splits": 1}
    }
    if len(logits) >= 20:
        mean, deviation = distances.inception_score_splits(logits, seed=seed)
        found["is_splits"] = {"value": mean, "deviation": deviation, "splits": 10}
    return found


def count_modes(
    labels: np.ndarray, confidences: np.ndarray, num_modes: int
) -> MetricValues:
    """Modes as Metz et al. 2016 and PacGAN, by the classifier's arg-max.

    An arg-max reads a digit into any blur, so the modes that a sample shows with
    confidence stand beside them.

    Returns:
      `modes`; `confident_modes`, counting only samples of which the classifier is
      sure (.9 or more); `confident_share`, of the samples; `reverse_kl` in nats.
    """
    coverage = mode_coverage(labels, num_modes)
    sure = confidences >= CONFIDENCE
    return {
        "modes": {"value": coverage.modes, "of": num_modes},
        "confident_modes": {
            "value": int(np.unique(labels[sure]).size),
            "of": num_modes,
            "confidence": CONFIDENCE,
        },
        "confident_share": {"value": float(sure.mean()), "confidence": CONFIDENCE},
        "reverse_kl": {"value": coverage.reverse_kl, "unit": "nats"},
    }


def class_agreement(logits: np.ndarray, labels: np.ndarray) -> MetricValues:
    """How often the classifier, by its arg-max, sees the class that was asked for.

    Args:
      logits: of it, [n, classes].
      labels: the classes that were asked for, integers [n].

    Returns:
      `class_agreement`: the share in [0, 1], of all and of each class.
    """
    agrees = logits.argmax(axis=1) == labels
    classes = {
        str(label): float(agrees[labels == label].mean()) for label in np.unique(labels)
    }
    return {"class_agreement": {"value": float(agrees.mean()), "classes": classes}}


def _by_features(
    samples: FeatureStatistics,
    reference: FeatureStatistics,
    measures: Measures,
    seed: int,
) -> MetricValues:
    real, generated = reference.features, samples.features
    assert real is not None  # as the caller has made sure
    assert generated is not None  # as `read` has
    numbers = {"num_samples": len(generated), "num_real": len(real)}
    distance, error = distances.kernel_distance(
        real, generated, block_size=measures.block_size, seed=seed
    )
    found: MetricValues = {
        "kid": {
            "value": distance,
            "standard_error": error,
            "block_size": measures.block_size,
            **numbers,
        }
    }
    shares = manifolds.manifold_metrics(real, generated, nearest=measures.nearest)
    found |= {
        name: {"value": value, "nearest": measures.nearest, **numbers}
        for name, value in shares._asdict().items()
    }
    if measures.per_class and reference.labels is not None:
        assert samples.labels is not None
        by_class = distances.per_class_frechet_distance(
            real, reference.labels, generated, samples.labels
        )
        found["fid_per_class"] = {
            "value": float(np.mean(list(by_class.values()))),
            "classes": {str(label): value for label, value in by_class.items()},
            **numbers,
        }
    return found
