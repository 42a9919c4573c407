"""Pictures by any classifier, and what their metrics rest on."""

import math

import numpy as np
import pytest

from logan_tf.data.points import Ring
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.evaluation import statistics_files
from logan_tf.evaluation.image_metrics import ImageMetrics
from logan_tf.evaluation.point_metrics import PointsModes
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
        protocol = ImageMetrics(
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
    protocol = ImageMetrics(pictures, RandomNetwork(), kept=60)
    found = protocol.evaluate(samples, 100, SamplingSettings())
    names = ("fid", "kid", "precision", "recall", "density", "coverage")
    assert set(found) == {f"{name}_random" for name in names}
    assert protocol.plotted[0] == "fid_random"
    counted = ImageMetrics(pictures, RandomNetwork(), num_modes=2)
    with pytest.raises(ConfigurationError, match=r"no logits.*num_modes = 0"):
        counted.evaluate(samples, 100, SamplingSettings())


def test_pictures_by_anybody_are_judged_as_samples_are(played_sampler):
    pictures = Pictures()
    protocol = ImageMetrics(pictures, RandomNetwork(), kept=60)
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
        PointsModes(Ring()).pictures(parts, num_samples=None, seed=0)


def test_real_images_whose_score_cannot_be_right_are_doubted(stand_in):
    pictures = Pictures()
    protocol = ImageMetrics(pictures, Inception(str(stand_in)))
    score = {"is": {"value": 2.5}}
    assert protocol.doubts(10_000, score) is None  # Of these nothing is known.
    pictures.identity = "cifar10/3.0.2 train and test 32x32x3"
    assert "score of 2.5, and 11.24 is published" in protocol.doubts(10_000, score)
    assert protocol.doubts(9_999, score) is None  # Few images have a low one.
    assert protocol.doubts(10_000, {"is": {"value": 10.9}}) is None
    assert protocol.doubts(10_000, {"is_mine": {"value": 2.5}}) is None


def test_the_numbers_are_those_of_the_features(narrow_stand_in, played_sampler):
    """The whole way, from float pixels to FID, in NumPy."""
    weights = np.load(narrow_stand_in.parent / f"{narrow_stand_in.name}.npz")["first"]
    pictures = Pictures()
    pixels = np.random.default_rng(3).uniform(-1.01, 1.01, (90, 8, 8, 3))
    protocol = ImageMetrics(pictures, Inception(str(narrow_stand_in)))
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
        protocol = ImageMetrics(pictures, Inception(str(narrow_stand_in)), **settings)
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
    ImageMetrics(pictures, Inception(str(narrow_stand_in))).prepare()
    (path,) = tmp_path.glob("statistics_*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    again = ImageMetrics(pictures, Inception(str(narrow_stand_in)))
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
    given = ImageMetrics(pictures, classifier, statistics=str(path))
    found = given.evaluate(samples, 100, SamplingSettings())
    assert pictures.read == []
    assert sorted(found) == ["fid", "is", "is_splits"]
    own = ImageMetrics(pictures, classifier)
    expected = own.evaluate(samples, 100, SamplingSettings())["fid"]["value"]
    assert found["fid"]["value"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dim", [64, 2047])
def test_statistics_of_another_classifier(dim, stand_in, played_sampler, tmp_path):
    path = tmp_path / "other.npz"
    features = np.random.default_rng(0).normal(size=(9, dim))
    statistics_files.write(path, FeatureStatistics(moments_of(features)))
    sampler = played_sampler(np.zeros((100, 8, 8, 3)))
    protocol = ImageMetrics(Pictures(), Inception(str(stand_in)), statistics=str(path))
    with pytest.raises(ConfigurationError, match=f"{dim} features.*2048"):
        protocol.evaluate(sampler, 100, SamplingSettings())
    assert sampler.asked == []


def test_an_empty_dataset_is_refused(narrow_stand_in):
    with pytest.raises(BadDataError, match="0 images"):
        ImageMetrics(Pictures(0), Inception(str(narrow_stand_in))).prepare()


@pytest.mark.parametrize(
    "bad", [{"num_samples": 1}, {"kept": 1}, {"nearest": 0}, {"num_reference": 1}]
)
def test_numbers_out_of_range(bad, narrow_stand_in):
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        ImageMetrics(Pictures(), Inception(str(narrow_stand_in)), **bad)
