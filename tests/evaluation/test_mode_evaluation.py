import math

import numpy as np
import pytest

from logan_tf.data.points import Ring
from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.evaluation import mode_evaluation
from logan_tf.evaluation.sampling import Samples


class PlayedSampler:
    """A sampler that deals out given images in small batches."""

    def __init__(self, images):
        self.images = images
        self.asked = []

    def sample(self, num, **settings):
        self.asked.append(settings)
        return Samples(self.images[:num], np.zeros((num, 1)), np.zeros(num, np.int32))

    def batches(self, num, **settings):
        self.asked.append(settings)
        for first in range(0, num, 100):
            images = self.images[first : min(first + 100, num)]
            yield Samples(images, images[:, 0, 0], np.zeros(len(images), np.int32))


SETTINGS = {"seed": 5, "latent_steps": 2, "truncation": 0.5}


def _real(digits, num, channels):
    """Real held-out digits in [-1, 1] and the modes they show."""
    images, labels = digits.arrays("test")
    drawn = np.random.default_rng(1).integers(len(images), size=(num, channels))
    stacked = np.stack([images[drawn[:, c], :, :, 0] for c in range(channels)], axis=-1)
    modes = sum(labels[drawn[:, c]] * 10 ** (channels - 1 - c) for c in range(channels))
    return stacked.astype(np.float32) / 127.5 - 1, modes


def test_real_stacked_digits_show_their_modes(classifier, digits):
    images, modes = _real(digits, 250, 3)
    sampler = PlayedSampler(images)
    found = mode_evaluation.evaluate_stacked_digits(
        sampler, classifier, num_samples=250, **SETTINGS
    )
    assert sampler.asked == [SETTINGS]
    expected = len(set(modes.tolist()))
    assert abs(found["modes"]["value"] - expected) <= 10
    assert found["modes"]["of"] == 1000
    shares = np.bincount(modes, minlength=1000) / 250
    divergence = sum(p * math.log(1000 * p) for p in shares if p)
    assert found["reverse_kl"]["value"] == pytest.approx(divergence, abs=0.05)
    assert found["confident_modes"]["value"] <= found["modes"]["value"]
    assert found["confident_share"]["value"] > 0.8


def test_one_collapsed_mode(classifier, digits):
    images, labels = digits.arrays("test")
    image = images[np.flatnonzero(labels == 0)[:1]].astype(np.float32) / 127.5 - 1
    sampler = PlayedSampler(np.repeat(image, 3, axis=-1).repeat(250, axis=0))
    found = mode_evaluation.evaluate_stacked_digits(
        sampler, classifier, num_samples=250, **SETTINGS
    )
    assert found["modes"]["value"] == 1
    assert found["reverse_kl"]["value"] == pytest.approx(math.log(1000))


def test_blur_is_read_but_not_with_confidence(classifier):
    noise = np.random.default_rng(0).uniform(-1, -0.8, (200, 16, 16, 3))
    found = mode_evaluation.evaluate_stacked_digits(
        PlayedSampler(noise), classifier, num_samples=200, **SETTINGS
    )
    assert found["modes"]["value"] >= 1
    assert found["confident_share"]["value"] < 0.1
    assert found["confident_modes"]["value"] <= 200 * found["confident_share"]["value"]


def test_plain_digits_have_ten_modes(classifier, digits):
    images, _ = _real(digits, 300, 1)
    found = mode_evaluation.evaluate_digits(
        PlayedSampler(images), classifier, num_samples=300, **SETTINGS
    )
    assert found["modes"] == {"value": 10, "of": 10}
    assert found["reverse_kl"]["value"] < 0.1


def test_confidence_is_counted_per_sample():
    labels = np.array([0, 0, 1, 2, 2, 2])
    confidences = np.array([0.95, 0.2, 0.89, 0.1, 0.9, 0.99])
    found = mode_evaluation._count(labels, confidences, 4)
    assert found["modes"]["value"] == 3
    assert found["confident_modes"]["value"] == 2
    assert found["confident_share"]["value"] == pytest.approx(0.5)
    expected = sum(p * math.log(4 * p) for p in (2 / 6, 1 / 6, 3 / 6))
    assert found["reverse_kl"]["value"] == pytest.approx(expected)


def test_no_confident_sample_is_no_error():
    found = mode_evaluation._count(np.array([0, 1]), np.array([0.1, 0.1]), 10)
    assert found["confident_modes"]["value"] == 0


def test_the_reference_is_what_stacked_real_digits_get(classifier, digits):
    reference = mode_evaluation.held_out_reference(classifier, digits, seed=0)
    assert reference["modes"]["value"] >= 999
    # The bias of 26,000 even samples; the split's classes differ by a digit or two.
    assert 999 / 52_000 * 0.8 < reference["reverse_kl"]["value"] < 0.05
    again = mode_evaluation.held_out_reference(classifier, digits, seed=0)
    assert again == reference
    images, _ = _real(digits, 2000, 3)
    stacked = mode_evaluation.evaluate_stacked_digits(
        PlayedSampler(images), classifier, num_samples=2000, **SETTINGS
    )
    small = mode_evaluation.held_out_reference(
        classifier, digits, num_samples=2000, seed=0
    )
    for name, tolerance in (("modes", 30), ("confident_share", 0.03)):
        difference = stacked[name]["value"] - small[name]["value"]
        assert abs(difference) <= tolerance
    plain = mode_evaluation.held_out_reference(
        classifier, digits, channels=1, num_samples=1000, seed=0
    )
    assert plain["modes"] == {"value": 10, "of": 10}


@pytest.mark.parametrize("bad", [{"num_samples": 0}, {"channels": 0}])
def test_a_reference_of_nothing_is_refused(bad, classifier, digits):
    with pytest.raises(ConfigurationError, match="at least 1"):
        mode_evaluation.held_out_reference(classifier, digits, seed=0, **bad)


def test_points():
    ring = Ring()
    points = np.repeat(ring.modes[:4], 25, axis=0).astype(np.float32)
    points[:10] += 1.0
    sampler = PlayedSampler(points)
    found = mode_evaluation.evaluate_points(sampler, ring, num_samples=100, **SETTINGS)
    assert sampler.asked == [SETTINGS]
    assert found["modes"] == {"value": 4, "of": 8}
    assert found["high_quality"]["value"] == pytest.approx(0.9)
    assert found["reverse_kl"]["value"] >= math.log(2) - 1e-9


def test_a_diverged_generator_is_named_so(classifier):
    images = np.full((10, 16, 16, 3), np.nan, np.float32)
    with pytest.raises(DivergedError, match="checkpoint"):
        mode_evaluation.evaluate_stacked_digits(
            PlayedSampler(images), classifier, num_samples=10, **SETTINGS
        )
    points = np.full((10, 2), np.inf, np.float32)
    with pytest.raises(DivergedError, match="checkpoint"):
        mode_evaluation.evaluate_points(
            PlayedSampler(points), Ring(), num_samples=10, **SETTINGS
        )
