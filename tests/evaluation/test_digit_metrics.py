"""Digits that were really drawn, judged as samples are."""

import math

import numpy as np
import pytest

from logan_tf.data.stacked_digits import StackedDigits
from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.evaluation.image_metrics import DigitMetrics
from logan_tf.sampling.settings import SamplingSettings

SETTINGS = SamplingSettings(5, latent_steps=2, truncation=0.5)


@pytest.fixture(autouse=True)
def cache(monkeypatch, shared_dir):
    monkeypatch.setenv("LOGAN_TF_CACHE", str(shared_dir / "cache"))
    return shared_dir / "cache"


@pytest.fixture(scope="module")
def stacked(data_dir):
    """What the protocol of stacked digits says of images."""
    protocol = DigitMetrics(StackedDigits(16, data_dir), kept=400)

    def judge(sampler, num, settings=SETTINGS):
        return protocol.evaluate(sampler, num, settings)

    judge.protocol = protocol
    return judge


def _real(digits, num, channels):
    """Real held-out digits in [-1, 1] and the modes they show."""
    images, labels = digits.arrays("test")
    drawn = np.random.default_rng(1).integers(len(images), size=(num, channels))
    stacked = np.stack([images[drawn[:, c], :, :, 0] for c in range(channels)], axis=-1)
    modes = sum(labels[drawn[:, c]] * 10 ** (channels - 1 - c) for c in range(channels))
    return stacked.astype(np.float32) / 127.5 - 1, modes


def test_real_stacked_digits_show_their_modes(stacked, digits, played_sampler):
    images, modes = _real(digits, 250, 3)
    sampler = played_sampler(images)
    found = stacked(sampler, 250)
    assert sampler.asked == [SETTINGS]
    expected = len(set(modes.tolist()))
    assert abs(found["modes"]["value"] - expected) <= 10
    assert found["modes"]["of"] == 1000
    shares = np.bincount(modes, minlength=1000) / 250
    divergence = sum(p * math.log(1000 * p) for p in shares if p)
    assert found["reverse_kl"]["value"] == pytest.approx(divergence, abs=0.05)
    assert found["confident_modes"]["value"] <= found["modes"]["value"]
    assert found["confident_share"]["value"] > 0.8


def test_a_conditional_generator_is_asked_for_classes(digits, played_sampler):
    """Two of twenty real digits are asked for by another class than they show."""
    protocol = DigitMetrics(digits, kept=400)
    images, labels = digits.arrays("test")
    sampler = played_sampler(images[:20] / np.float32(127.5) - 1, labels[:20].copy())
    first = labels[0]
    sampler.labels[:2] = (sampler.labels[:2] + 1) % 10
    assert "class_agreement" not in protocol.evaluate(sampler, 20, SETTINGS)
    sampler.conditional = True
    found = protocol.evaluate(sampler, 20, SETTINGS)["class_agreement"]
    assert found["value"] == pytest.approx(0.9)
    assert set(found["classes"]) == {str(label) for label in sampler.labels}
    assert found["classes"][str((first + 1) % 10)] < 1


def test_one_collapsed_mode(stacked, digits, played_sampler):
    images, labels = digits.arrays("test")
    image = images[np.flatnonzero(labels == 0)[:1]].astype(np.float32) / 127.5 - 1
    found = stacked(
        played_sampler(np.repeat(image, 3, axis=-1).repeat(250, axis=0)), 250
    )
    assert found["modes"]["value"] == 1
    assert found["reverse_kl"]["value"] == pytest.approx(math.log(1000))
    assert found["is_digits"]["value"] == pytest.approx(1.0)
    assert found["recall_digits"]["value"] == 0.0


def test_blur_is_read_but_not_with_confidence(stacked, played_sampler):
    noise = np.random.default_rng(0).uniform(-1, -0.8, (200, 16, 16, 3))
    found = stacked(played_sampler(noise), 200)
    assert found["modes"]["value"] >= 1
    assert found["confident_share"]["value"] < 0.1
    assert found["confident_modes"]["value"] <= 200 * found["confident_share"]["value"]


def test_distances_tell_real_digits_from_noise(stacked, digits, played_sampler):
    images, _ = _real(digits, 400, 3)
    noise = np.random.default_rng(0).uniform(-1, 1, images.shape)
    real, unreal = (stacked(played_sampler(x), 400) for x in (images, noise))
    for name in ("fid_digits", "kid_digits"):
        assert unreal[name]["value"] > 10 * abs(real[name]["value"])
    for name in ("precision_digits", "recall_digits", "coverage_digits"):
        assert real[name]["value"] > 0.8
        assert unreal[name]["value"] < 0.1
    assert real["is_digits"]["value"] > 4 * unreal["is_digits"]["value"]
    assert real["kid_digits"]["num_real"] == 400
    assert real["precision_digits"]["nearest"] == 5
    assert "fid" not in real  # a name that is Inception's


def test_plain_digits_have_ten_modes(digits, played_sampler):
    images, _ = _real(digits, 300, 1)
    protocol = DigitMetrics(digits)
    found = protocol.evaluate(played_sampler(images), 300, SamplingSettings())
    assert found["modes"] == {"value": 10, "of": 10}
    assert found["reverse_kl"]["value"] < 0.1
    assert 7 < found["is_digits"]["value"] <= 10
    assert protocol.held_out(num_samples=10_000, seed=0)[0] == len(
        digits.arrays("test")[0]
    )


def test_held_out_digits_are_judged_as_samples_are(stacked, digits, played_sampler):
    images, _ = _real(digits, 2000, 3)
    samples = stacked(played_sampler(images), 2000)
    num, held_out = stacked.protocol.held_out(num_samples=2000, seed=0)
    assert num == 2000
    assert held_out["modes"]["value"] > 840  # 1000 (1 - exp(-2)) = 865 by chance
    for name, tolerance in (("modes", 30), ("confident_share", 0.03)):
        difference = samples[name]["value"] - held_out[name]["value"]
        assert abs(difference) <= tolerance
    assert stacked.protocol.held_out(num_samples=2000, seed=0) == (num, held_out)


def test_as_many_held_out_digits_as_samples_show_nearly_all_modes(stacked):
    num, held_out = stacked.protocol.held_out(num_samples=26_000, seed=0)
    assert num == 26_000
    assert held_out["modes"]["value"] >= 999
    # The bias of 26,000 even samples; the split's classes differ by a digit or two.
    assert 999 / 52_000 * 0.8 < held_out["reverse_kl"]["value"] < 0.05


def test_the_literatures_numbers_of_samples():
    """Metz et al. 2016 draw 25,600, VEEGAN 26,000; both are known before any data."""
    mnist = StackedDigits(28, None, "mnist")
    assert DigitMetrics(mnist).num_samples == 26_000
    assert DigitMetrics(mnist, num_samples=25_600).num_samples == 25_600
    assert DigitMetrics(mnist).plotted[0] == "fid_mnist"


def test_a_diverged_generator_is_named_so(stacked, played_sampler):
    images = np.full((10, 16, 16, 3), np.nan, np.float32)
    with pytest.raises(DivergedError, match="checkpoint"):
        stacked(played_sampler(images), 10)


def test_too_few_samples_are_refused_before_sampling(stacked, played_sampler):
    sampler = played_sampler(np.zeros((5, 16, 16, 3)))
    with pytest.raises(ConfigurationError, match=r"5 samples.*draw more"):
        stacked(sampler, 5)
    assert sampler.asked == []
