"""Top-k against sorting; the score of samples as good as real ones, and of others."""

import keras
import numpy as np
import pytest

from logan_tf.accuracy.accuracy_score import AccuracyScore, accuracies, rank
from logan_tf.accuracy.classifier_input import ClassifierInput
from logan_tf.accuracy.classifier_training import ClassifierTraining
from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.sampling.sampler import Samples
from logan_tf.sampling.settings import SamplingSettings


@pytest.mark.parametrize("decimals", [8, 0])
def test_top_k_is_that_of_sorting(decimals):
    """With 0 decimals most logits have an equal; a stable sort takes the lower class
    first."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(500, 12)).round(decimals)
    labels = generator.integers(0, 11, 500)  # class 11 is never tested
    found = accuracies(rank(logits, labels), labels, 12)
    order = np.argsort(-logits, axis=1, kind="stable")
    assert list(found) == ["top_1", "top_5"]
    for name, k in (("top_1", 1), ("top_5", 5)):
        right = (order[:, :k] == labels[:, None]).any(axis=1)
        assert found[name]["value"] == pytest.approx(right.mean())
        assert found[name]["num_images"] == 500
        for label in range(11):
            expected = right[labels == label].mean()
            assert found[name]["classes"][str(label)] == pytest.approx(expected)
        assert "11" not in found[name]["classes"]


@pytest.mark.parametrize(
    ("num_classes", "names"),
    [(2, ["top_1"]), (4, ["top_1", "top_3"]), (5, ["top_1", "top_4"])],
)
def test_few_classes(num_classes, names):
    logits = np.eye(num_classes)
    found = accuracies(
        rank(logits, np.arange(num_classes)), np.arange(num_classes), num_classes
    )
    assert list(found) == names
    assert all(metric["value"] == 1 for metric in found.values())


def test_a_classifier_that_says_nothing_is_right_by_chance():
    labels = np.arange(10)
    found = accuracies(rank(np.zeros((10, 10)), labels), labels, 10)
    assert (found["top_1"]["value"], found["top_5"]["value"]) == (0.1, 0.5)


def linear(shape, num_classes):
    layers = [keras.layers.Flatten(), keras.layers.Dense(num_classes)]
    return keras.Sequential([keras.Input(shape), *layers])


def make_score(dataset, **arguments):
    given = {
        "pictures": ClassifierInput(16),
        "optimizer": keras.optimizers.Adam,
        "epochs": 6,
        "batch_size": 32,
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        **arguments,
    }
    return AccuracyScore(dataset, ClassifierTraining(linear, **given))


class Conditional:
    conditional = True


class LabeledSampler:
    """Class means and noise; `blind`: of a class drawn anew."""

    def __init__(self, digits, blind: bool = False) -> None:
        images, labels = digits.arrays("train")
        images = images / 127.5 - 1
        self.means = np.stack([images[labels == c].mean(0) for c in range(10)])
        self.blind = blind
        self.drawn = 0

    def batches(self, num, settings, *, first, labels):
        assert len(labels) == num
        for start in range(0, num, 256):
            part = labels[start : start + 256]
            generator = np.random.default_rng([settings.seed, first + start])
            shown = generator.permutation(part) if self.blind else part
            noise = generator.normal(0, 0.4, (len(part), *self.means.shape[1:]))
            images = np.clip(self.means[shown] + noise, -1, 1)
            self.drawn += len(part)
            yield Samples(images.astype(np.float32), np.zeros((len(part), 1)), part)


SETTINGS = SamplingSettings()


@pytest.mark.slow
def test_samples_near_real_ones_score_near_them_and_others_by_chance(digits, tmp_path):
    score = make_score(digits)
    score.prepare(Conditional)
    assert score.num_images == len(digits.arrays("train")[1])
    real = score.of_real_images(tmp_path / "real").metrics
    good = score.of_samples(LabeledSampler(digits), SETTINGS, tmp_path / "good")
    blind = score.of_samples(
        LabeledSampler(digits, blind=True), SETTINGS, tmp_path / "blind"
    )
    assert real["top_1"]["value"] > 0.93
    assert real["top_5"]["value"] > 0.98
    assert real["top_1"]["value"] > good.metrics["top_1"]["value"] > 0.8
    assert blind.metrics["top_1"]["value"] < 0.3
    held_out = digits.arrays("test")[1]
    weights = np.bincount(held_out) / len(held_out)
    for found in (real, good.metrics, blind.metrics):
        assert found["top_1"]["num_images"] == len(held_out)
        by_class = [found["top_1"]["classes"][str(c)] for c in range(10)]
        assert found["top_1"]["value"] == pytest.approx(weights @ by_class)


def test_the_training_set_is_quantized_and_of_the_real_labels(digits, tmp_path):
    score = make_score(digits, epochs=1)
    score.prepare(Conditional)
    images, labels = digits.arrays("train")
    sampler = LabeledSampler(digits)
    score.of_samples(sampler, SETTINGS, tmp_path / "samples")
    written = np.fromfile(tmp_path / "samples" / "pictures.uint8", np.uint8)
    written = written.reshape(images.shape)
    batches = sampler.batches(len(labels), SETTINGS, first=0, labels=labels)
    drawn = np.concatenate([samples.images for samples in batches])
    expected = np.clip(np.floor(127.5 * (drawn.astype(np.float64) + 1) + 0.5), 0, 255)
    assert np.abs(written - expected).max() <= 1  # float32 rounds at the half
    assert (written != expected).mean() < 1e-3
    score.of_real_images(tmp_path / "real")
    written = np.fromfile(tmp_path / "real" / "pictures.uint8", np.uint8)
    np.testing.assert_array_equal(written.reshape(images.shape), images)


def test_drawing_that_was_killed_goes_on(digits, tmp_path):
    score = make_score(digits, epochs=1)
    score.prepare(Conditional)
    whole = score.of_samples(LabeledSampler(digits), SETTINGS, tmp_path / "whole")
    killed = LabeledSampler(digits)
    killed_batches = killed.batches

    def batches(num, settings, **position):
        for samples in killed_batches(num, settings, **position):
            if killed.drawn > 1024:
                raise KeyboardInterrupt
            yield samples

    killed.batches = batches
    with pytest.raises(KeyboardInterrupt):
        score.of_samples(killed, SETTINGS, tmp_path / "killed")
    with (tmp_path / "killed" / "pictures.uint8").open("r+b") as file:
        file.truncate(600 * 256)  # as if it had been killed while it wrote
    sampler = LabeledSampler(digits)
    again = score.of_samples(sampler, SETTINGS, tmp_path / "killed")
    assert sampler.drawn == score.num_images - 512
    assert again == whole


class Pictures:
    """A data set with what each test wants."""

    shape = (16, 16, 1)
    identity = "pictures"

    def __init__(self, num_classes=3, label=1):
        self.num_classes = num_classes
        self.label = label

    def ordered(self, split):
        images = np.zeros((4, *self.shape), np.uint8)
        yield images, np.full(4, self.label if split == "test" else 0, np.int32)


@pytest.mark.parametrize(
    ("dataset", "generator", "cause"),
    [
        (object(), Conditional, "pictures"),
        (Pictures(), object(), "conditional"),
        (Pictures(num_classes=0), Conditional, "0 classes"),
        (Pictures(num_classes=1), Conditional, "1 classes"),
        (
            Pictures(label=-1),
            Conditional,
            "test images have labels from -1.*'validation'",
        ),
        (Pictures(label=3), Conditional, "there are 3 classes"),
    ],
)
def test_what_has_no_score(dataset, generator, cause):
    with pytest.raises(ConfigurationError, match=cause):
        make_score(dataset).prepare(generator)


@pytest.mark.parametrize(
    ("splits", "cause"),
    [
        ({"test_split": "validation"}, "no examples in split 'validation'"),
        ({"split": "learn"}, "no examples in split 'learn'"),
    ],
)
def test_splits_that_are_not_there(splits, cause, data_dir):
    dataset = TFDSImages("digits", 16, channels=1, data_dir=data_dir, **splits)
    with pytest.raises(ConfigurationError, match=cause):
        make_score(dataset).prepare(Conditional)


def test_samples_that_are_not_finite(tmp_path):
    score = make_score(Pictures(), batch_size=2)
    score.prepare(Conditional)

    class Broken:
        def batches(self, num, settings, **position):
            yield Samples(np.full((num, 16, 16, 1), np.nan), None, None)

    with pytest.raises(DivergedError, match="NaN"):
        score.of_samples(Broken(), SETTINGS, tmp_path)
