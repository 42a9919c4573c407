"""Digits that were really drawn, judged as samples are."""

import math

import numpy as np
import pytest

from logan_tf.data.points import Ring
from logan_tf.data.stacked_digits import StackedDigits
from logan_tf.errors import BadDataError, ConfigurationError, DivergedError
from logan_tf.evaluation import protocols, statistics_files
from logan_tf.evaluation.statistics_files import FeatureStatistics
from logan_tf.metrics.classifiers import Inception, SavedModelClassifier
from logan_tf.metrics.moments import moments_of
from logan_tf.metrics.random_network import RandomNetwork
from logan_tf.sampling.settings import SamplingSettings

SETTINGS = SamplingSettings(5, latent_steps=2, truncation=0.5)


@pytest.fixture(autouse=True)
def cache(monkeypatch, shared_dir):
    monkeypatch.setenv("LOGAN_TF_CACHE", str(shared_dir / "cache"))
    return shared_dir / "cache"


@pytest.fixture(scope="module")
def stacked(data_dir):
    """What the protocol of stacked digits says of images."""
    protocol = protocols.DigitMetrics(StackedDigits(16, data_dir), kept=400)

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
    protocol = protocols.DigitMetrics(digits, kept=400)
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
    protocol = protocols.DigitMetrics(digits)
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
    assert protocols.DigitMetrics(mnist).num_samples == 26_000
    assert protocols.DigitMetrics(mnist, num_samples=25_600).num_samples == 25_600
    assert protocols.DigitMetrics(mnist).plotted[0] == "fid_mnist"


def test_a_diverged_generator_is_named_so(stacked, played_sampler):
    images = np.full((10, 16, 16, 3), np.nan, np.float32)
    with pytest.raises(DivergedError, match="checkpoint"):
        stacked(played_sampler(images), 10)


def test_too_few_samples_are_refused_before_sampling(stacked, played_sampler):
    sampler = played_sampler(np.zeros((5, 16, 16, 3)))
    with pytest.raises(ConfigurationError, match=r"5 samples.*draw more"):
        stacked(sampler, 5)
    assert sampler.asked == []


class Pictures:
    """Real pictures of two classes, dark and bright."""

    shape = (8, 8, 3)

    def __init__(self, num=120):
        generator = np.random.default_rng(7)
        self.labels = np.arange(num, dtype=np.int32) % 2
        self.images = generator.integers(0, 128, (num, *self.shape), np.uint8)
        self.images += (127 * self.labels).astype(np.uint8)[:, None, None, None]
        self.identity = f"pictures {num}"
        self.read = []

    def ordered(self, split):
        self.read.append(split)
        for first in range(0, len(self.images), 50):
            part = slice(first, first + 50)
            yield self.images[part], self.labels[part]


def test_plain_fid_is_of_inception_alone(narrow_stand_in, played_sampler):
    pictures = Pictures()
    samples = played_sampler(pictures.images[20:] / 127.5 - 1, pictures.labels[20:])
    found = {}
    for classifier in (
        Inception(str(narrow_stand_in)),
        SavedModelClassifier(str(narrow_stand_in), "mine"),
    ):
        protocol = protocols.ImageMetrics(
            pictures, classifier, num_reference=100, kept=60, per_class=True
        )
        found |= protocol.evaluate(samples, 100, SamplingSettings())
        fields = protocol.measured_with()
        assert fields["reference"]
        assert len(fields["reference_hash"]) == 16
    assert found["fid"]["value"] == found["fid_mine"]["value"]
    assert found["kid"]["num_samples"] == found["kid"]["num_real"] == 60
    assert sorted(found["fid_per_class"]["classes"]) == ["0", "1"]
    num, control = protocol.held_out(num_samples=100, seed=0)
    assert (num, pictures.read[-1]) == (100, "test")
    # The stand-in's held-out pictures are the very ones it is compared with.
    assert control["fid_mine"]["value"] < 1e-3 < found["fid_mine"]["value"]


def test_without_logits_there_are_neither_scores_nor_modes(played_sampler):
    pictures = Pictures()
    samples = played_sampler(pictures.images[20:] / 127.5 - 1)
    protocol = protocols.ImageMetrics(pictures, RandomNetwork(), kept=60)
    found = protocol.evaluate(samples, 100, SamplingSettings())
    names = ("fid", "kid", "precision", "recall", "density", "coverage")
    assert set(found) == {f"{name}_random" for name in names}
    assert protocol.plotted[0] == "fid_random"
    counted = protocols.ImageMetrics(pictures, RandomNetwork(), num_modes=2)
    with pytest.raises(ConfigurationError, match=r"no logits.*num_modes = 0"):
        counted.evaluate(samples, 100, SamplingSettings())


def test_pictures_by_anybody_are_judged_as_samples_are(played_sampler):
    pictures = Pictures()
    protocol = protocols.ImageMetrics(pictures, RandomNetwork(), kept=60)
    sampled = protocol.evaluate(
        played_sampler(pictures.images / 127.5 - 1), 80, SamplingSettings(3)
    )
    parts = [(pictures.images[:50], pictures.labels[:50])]
    parts.append((pictures.images[50:], pictures.labels[50:]))
    num, found = protocol.pictures(parts, num_samples=80, seed=3)
    assert (num, found.keys()) == (80, sampled.keys())
    for name, metric in sampled.items():
        assert found[name]["value"] == pytest.approx(metric["value"], 1e-5, 1e-6)
    assert protocol.pictures(parts, num_samples=None, seed=3)[0] == 120
    with pytest.raises(ConfigurationError, match="5 pictures have no 5 nearest"):
        protocol.pictures(parts, num_samples=5, seed=0)
    with pytest.raises(ConfigurationError, match="points"):
        protocols.PointsModes(Ring()).pictures(parts, num_samples=None, seed=0)


def test_real_images_whose_score_cannot_be_right_are_doubted(stand_in):
    pictures = Pictures()
    protocol = protocols.ImageMetrics(pictures, Inception(str(stand_in)))
    score = {"is": {"value": 2.5}}
    assert protocol.doubts(10_000, score) is None  # Of these nothing is known.
    pictures.identity = "cifar10/3.0.2 train and test 32x32x3"
    assert "score of 2.5, and 11.24 is published" in protocol.doubts(10_000, score)
    assert protocol.doubts(9_999, score) is None  # Few images have a low one.
    assert protocol.doubts(10_000, {"is": {"value": 10.9}}) is None
    assert protocol.doubts(10_000, {"is_mine": {"value": 2.5}}) is None


def test_real_points_are_in_their_modes():
    protocol = protocols.PointsModes(Ring())
    num, control = protocol.held_out(num_samples=500, seed=3)
    assert (num, control["modes"]["value"]) == (500, 8)
    assert control["high_quality"]["value"] > 0.97


def test_the_numbers_are_those_of_the_features(narrow_stand_in, played_sampler):
    """The whole way, from float pixels to FID, in NumPy."""
    weights = np.load(narrow_stand_in.parent / f"{narrow_stand_in.name}.npz")["first"]
    pictures = Pictures()
    pixels = np.random.default_rng(3).uniform(-1.01, 1.01, (90, 8, 8, 3))
    protocol = protocols.ImageMetrics(pictures, Inception(str(narrow_stand_in)))
    found = protocol.evaluate(played_sampler(pixels), 90, SamplingSettings())

    def features(quantized):
        unit = quantized.astype(np.float64) / 127.5 - 1
        blocks = unit.reshape(-1, 4, 2, 4, 2, 3).mean(axis=(2, 4))
        return blocks.reshape(-1, 48) @ weights.astype(np.float64)

    quantized = np.floor(np.clip(127.5 * (pixels + 1) + 0.5, 0, 255))
    a, b = features(quantized), features(pictures.images)
    roots = [(x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b)]
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() - 2 * cross
    expected += sum((root**2).sum() for root in roots)
    assert found["fid"]["value"] == pytest.approx(expected, rel=1e-5)


def test_the_reference_is_computed_once(
    narrow_stand_in, played_sampler, tmp_path, cache
):
    samples = played_sampler(Pictures().images / 127.5 - 1)
    pictures = Pictures(110)

    def evaluate(**settings):
        protocol = protocols.ImageMetrics(
            pictures, Inception(str(narrow_stand_in)), **settings
        )
        return protocol, protocol.evaluate(samples, 110, SamplingSettings())

    first, found = evaluate()
    second, again = evaluate()
    assert pictures.read == ["train"]
    assert (again, first.measured_with()) == (found, second.measured_with())
    third, _ = evaluate(num_reference=80)
    assert pictures.read == ["train", "train"]
    assert third.measured_with()["reference"] != first.measured_with()["reference"]


def test_a_broken_cache_is_made_again(narrow_stand_in, monkeypatch, tmp_path):
    monkeypatch.setenv("LOGAN_TF_CACHE", str(tmp_path))
    pictures = Pictures(64)
    protocols.ImageMetrics(pictures, Inception(str(narrow_stand_in))).prepare()
    (path,) = tmp_path.glob("statistics_*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    again = protocols.ImageMetrics(pictures, Inception(str(narrow_stand_in)))
    again.prepare()
    assert pictures.read == ["train", "train"]
    assert statistics_files.read(path).hash() == again.measured_with()["reference_hash"]


def test_statistics_of_a_file(narrow_stand_in, played_sampler, tmp_path):
    """As another program writes them: moments, hence FID and IS and no more."""
    pictures = Pictures()
    classifier = Inception(str(narrow_stand_in))
    features = classifier.outputs(pictures.images).features
    path = tmp_path / "theirs.npz"
    np.savez(path, mu=features.mean(0), sigma=np.cov(features, rowvar=False))
    samples = played_sampler(np.random.default_rng(0).uniform(-1, 1, (100, 8, 8, 3)))
    given = protocols.ImageMetrics(pictures, classifier, statistics=str(path))
    found = given.evaluate(samples, 100, SamplingSettings())
    assert pictures.read == []
    assert sorted(found) == ["fid", "is", "is_splits"]
    own = protocols.ImageMetrics(pictures, classifier)
    expected = own.evaluate(samples, 100, SamplingSettings())["fid"]["value"]
    assert found["fid"]["value"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dim", [64, 2047])
def test_statistics_of_another_classifier(dim, stand_in, played_sampler, tmp_path):
    path = tmp_path / "other.npz"
    features = np.random.default_rng(0).normal(size=(9, dim))
    statistics_files.write(path, FeatureStatistics(moments_of(features)))
    sampler = played_sampler(np.zeros((100, 8, 8, 3)))
    protocol = protocols.ImageMetrics(
        Pictures(), Inception(str(stand_in)), statistics=str(path)
    )
    with pytest.raises(ConfigurationError, match=f"{dim} features.*2048"):
        protocol.evaluate(sampler, 100, SamplingSettings())
    assert sampler.asked == []


def test_an_empty_dataset_is_refused(narrow_stand_in):
    with pytest.raises(BadDataError, match="0 images"):
        protocols.ImageMetrics(Pictures(0), Inception(str(narrow_stand_in))).prepare()


@pytest.mark.parametrize(
    "bad", [{"num_samples": 1}, {"kept": 1}, {"nearest": 0}, {"num_reference": 1}]
)
def test_numbers_out_of_range(bad, narrow_stand_in):
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        protocols.ImageMetrics(Pictures(), Inception(str(narrow_stand_in)), **bad)
