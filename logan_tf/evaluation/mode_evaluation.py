"""Mode coverage by protocol: samples, classifier, counts.

Stacked digits as Metz et al. 2016 and PacGAN: 26,000 samples, modes found of 1,000 by
the classifier's arg-max, KL of their histogram to the uniform one. An arg-max reads a
digit into any blur, so the modes that a sample shows with confidence stand beside them.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.evaluation import digit_classifier, metrics
from logan_tf.evaluation.digit_classifier import DigitArrays, DigitClassifier
from logan_tf.evaluation.receipts import Metrics
from logan_tf.evaluation.sampling import Sampler, to_uint8

STACKED_DIGITS_PROTOCOL = "stacked_digits_modes/1"
DIGITS_PROTOCOL = "digits_modes/1"
POINTS_PROTOCOL = "points_modes/1"
CONFIDENCE = 0.9

Read = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Mixture(Protocol):
    """What is needed of `logan_tf.data.points.Ring` and `Grid`."""

    modes: np.ndarray
    sigma: float


def evaluate_stacked_digits(
    sampler: Sampler,
    classifier: DigitClassifier,
    *,
    num_samples: int = 26_000,
    seed: int,
    latent_steps: int = 0,
    truncation: float = 1.0,
) -> Metrics:
    """Counts the modes among generated stacked digits, in chunks.

    Args:
        sampler: of a generator of images [size, size, 3].
        classifier: for digits of that size.
        num_samples, seed, latent_steps, truncation: as `Sampler.sample`.

    Returns:
        `modes` of 1,000 by arg-max; `confident_modes`, counting only samples of which
        the classifier is sure (softmax >= .9 for each digit); `confident_share`, of the
        samples; `reverse_kl` in nats.

    Raises:
        ConfigurationError: as `Sampler.sample`; images of another shape.
        DivergedError: the generator makes NaN or Inf.
    """
    return _judge(
        sampler,
        lambda images: digit_classifier.classify_stacked(classifier, images),
        1000,
        num_samples=num_samples,
        seed=seed,
        latent_steps=latent_steps,
        truncation=truncation,
    )


def evaluate_digits(
    sampler: Sampler,
    classifier: DigitClassifier,
    *,
    num_samples: int = 10_000,
    seed: int,
    latent_steps: int = 0,
    truncation: float = 1.0,
) -> Metrics:
    """Counts the ten modes among generated digits; see `evaluate_stacked_digits`."""
    return _judge(
        sampler,
        lambda images: digit_classifier.classify(classifier, images),
        10,
        num_samples=num_samples,
        seed=seed,
        latent_steps=latent_steps,
        truncation=truncation,
    )


def held_out_reference(
    classifier: DigitClassifier,
    digits: DigitArrays,
    *,
    channels: int = 3,
    num_samples: int = 26_000,
    seed: int,
) -> Metrics:
    """The same metrics of real held-out digits: what a perfect generator would get.

    The digits are classified one by one, then stacked by chance with replacement: the
    classifier reads the channels one by one anyway.

    Args:
        channels: 3 for stacked digits, 1 for plain ones.
        num_samples: at least 1.

    Raises:
        ConfigurationError: no channel or sample.
    """
    if channels < 1 or num_samples < 1:
        raise ConfigurationError(
            f"{num_samples} samples of {channels} channels: give at least 1 of each"
        )
    images, _ = digits.arrays("test")
    read, confidences = digit_classifier.classify(classifier, images)
    drawn = np.random.default_rng(seed).integers(
        len(read), size=(num_samples, channels)
    )
    labels = read[drawn] @ 10 ** np.arange(channels)[::-1]
    return _count(labels, confidences[drawn].min(axis=1), 10**channels)


def evaluate_points(
    sampler: Sampler,
    mixture: Mixture,
    *,
    num_samples: int = 2_500,
    seed: int,
    latent_steps: int = 0,
    truncation: float = 1.0,
) -> Metrics:
    """Counts the modes among generated points [n, 2]; see `metrics.point_modes`.

    Returns:
        `modes` of the mixture's; `high_quality`, the share within 3 sigma of the
        nearest mode; `reverse_kl` in nats.

    Raises:
        ConfigurationError: as `Sampler.sample`; a generator of anything but points.
        DivergedError: the generator makes NaN or Inf.
    """
    samples = sampler.sample(
        num_samples, seed=seed, latent_steps=latent_steps, truncation=truncation
    )
    if not np.isfinite(samples.images).all():
        raise DivergedError(
            "the generator makes NaN or Inf: choose an earlier checkpoint"
        )
    found = metrics.point_modes(samples.images, mixture.modes, mixture.sigma)
    return {
        "modes": {"value": found.modes, "of": len(mixture.modes)},
        "high_quality": {"value": found.high_quality},
        "reverse_kl": {"value": found.reverse_kl, "unit": "nats"},
    }


def _judge(
    sampler: Sampler,
    read: Read,
    num_modes: int,
    *,
    num_samples: int,
    seed: int,
    latent_steps: int,
    truncation: float,
) -> Metrics:
    labels, confidences = [], []
    for samples in sampler.batches(
        num_samples, seed=seed, latent_steps=latent_steps, truncation=truncation
    ):
        found, certain = read(to_uint8(samples.images))
        labels.append(found)
        confidences.append(certain)
    return _count(np.concatenate(labels), np.concatenate(confidences), num_modes)


def _count(labels: np.ndarray, confidences: np.ndarray, num_modes: int) -> Metrics:
    coverage = metrics.mode_coverage(labels, num_modes)
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
