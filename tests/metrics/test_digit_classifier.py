import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data.digits import Digits
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.metrics import digit_classifier, digit_network
from logan_tf.metrics.digit_classifier import Standard
from logan_tf.metrics.digit_network import TrainingRecipe

QUICK = TrainingRecipe(epochs=2, width=8)


@pytest.fixture
def quick(monkeypatch):
    """A classifier trained for a moment only, which reads too little to be trusted."""
    standard = Standard(QUICK, least_accuracy=0.0)
    monkeypatch.setitem(digit_classifier.STANDARDS, "digits", standard)
    return QUICK


def _floats(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / np.float32(127.5) - 1


def test_reads_held_out_digits(classifier, digits):
    images, labels = digits.arrays("test")
    read = classifier.outputs(_floats(images))[0].argmax(axis=1)
    assert classifier.accuracy == np.mean(read == labels)
    assert classifier.accuracy >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("size", [28, 32])
def test_reads_held_out_digits_of_other_sizes(size, data_dir, tmp_path):
    larger = digit_classifier.load_or_train(Digits(size, data_dir), cache_dir=tmp_path)
    assert larger.accuracy >= 0.98


class Fewer:
    """The digits with only the first 64 of one split."""

    name = "digits"

    def __init__(self, digits, split):
        self.shape = digits.shape
        self._digits = digits
        self._split = split

    def arrays(self, split):
        images, labels = self._digits.arrays(split)
        return (images[:64], labels[:64]) if split == self._split else (images, labels)


def test_training_uses_the_train_split_only_and_the_hash_both(digits, quick, tmp_path):
    whole, fewer_trained, fewer_held_out = (
        digit_classifier.load_or_train(data, cache_dir=tmp_path, recipe=quick)
        for data in (digits, Fewer(digits, "train"), Fewer(digits, "test"))
    )
    assert whole.weights_hash == fewer_held_out.weights_hash
    assert whole.weights_hash != fewer_trained.weights_hash
    hashes = {c.recipe_hash for c in (whole, fewer_trained, fewer_held_out)}
    assert len(hashes) == 3


def test_each_data_set_has_a_recipe_and_a_least_accuracy(digits, tmp_path, monkeypatch):
    """The embedded digits' recipe is what it was: its hash is in published receipts."""
    own, large = digit_classifier.STANDARDS["digits"], digit_classifier.OTHERS
    assert own == (TrainingRecipe(1, 32, 64, 40, 64, 3e-3, 1 / 16, 20191201), 0.98)
    trained = []

    def train(images, labels, recipe):
        trained.append(recipe)
        return digit_network.build(16, recipe).get_weights()

    monkeypatch.setattr(digit_network, "train", train)
    for name in ("digits", "mnist", "fashion_mnist", "kmnist", "another"):
        least = digit_classifier.STANDARDS.get(name, large).least_accuracy
        data = Fewer(digits, "train")
        data.name = name
        with pytest.raises(
            BadDataError, match=f"of {name} .* {least:.1%} is the least"
        ):
            digit_classifier.load_or_train(data, cache_dir=tmp_path)
    assert trained == [own.recipe] + 4 * [digit_network.LARGE]


def test_shifts_are_windows_of_the_padded_image():
    images = np.arange(2 * 5 * 5, dtype=np.uint8).reshape(2, 5, 5, 1)
    found = digit_network._shifted(images, 2, np.random.default_rng(3))
    corners = np.random.default_rng(3).integers(0, 5, (2, 2))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    for image, whole, (top, left) in zip(found, padded, corners, strict=True):
        np.testing.assert_array_equal(image, whole[top : top + 5, left : left + 5])


def test_two_trainings_give_the_same_bits_whatever_the_global_seeds(digits):
    images, labels = digits.arrays("train")
    keras.utils.set_random_seed(1)
    first = digit_network.train(images, labels, QUICK)
    keras.utils.set_random_seed(2)
    keras.random.uniform((3,))
    second = digit_network.train(images, labels, QUICK)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_leaves_global_random_state_alone(digits):
    def draws():
        return random.random(), np.random.random(), float(tf.random.uniform(()))

    images, labels = digits.arrays("train")
    keras.utils.set_random_seed(3)
    expected = draws()
    keras.utils.set_random_seed(3)
    digit_network.train(images[:200], labels[:200], QUICK)
    assert draws() == expected


def test_a_policy_of_the_run_does_not_reach_the_classifier(classifier, digits):
    images, _ = digits.arrays("test")
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = digit_network.build(16, TrainingRecipe())
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model.set_weights(classifier._model.get_weights())
    logits, _ = model(_floats(images), training=False)
    np.testing.assert_allclose(logits, classifier.outputs(images)[0], atol=1e-4)


def test_outputs_do_not_depend_on_batches_or_the_type_of_images(classifier, digits):
    images, _ = digits.arrays("train")
    logits = classifier.outputs(images)[0]
    assert logits.shape == (len(images), 10)
    assert classifier.outputs(images)[1].shape == (len(images), 64)
    np.testing.assert_allclose(
        logits, classifier.outputs(_floats(images))[0], atol=1e-5
    )
    np.testing.assert_array_equal(logits[:7], classifier.outputs(images[:7])[0])
    # More than one batch of 1,000: the last one is padded.
    np.testing.assert_allclose(
        logits[1100:], classifier.outputs(images[1100:])[0], 1e-5
    )


def test_logits_are_one_dense_layer_on_the_features(classifier, digits):
    images, _ = digits.arrays("test")
    *_, kernel, bias = classifier._model.get_weights()
    features = classifier.outputs(images)[1]
    assert features.min() == 0
    np.testing.assert_allclose(
        features @ kernel + bias, classifier.outputs(images)[0], atol=1e-4
    )


def test_the_cache_is_used(digits, quick, tmp_path, monkeypatch):
    first = digit_classifier.load_or_train(digits, cache_dir=tmp_path, recipe=quick)
    monkeypatch.setattr(digit_network, "train", _must_not_run)
    second = digit_classifier.load_or_train(digits, cache_dir=tmp_path, recipe=quick)
    assert first.weights_hash == second.weights_hash
    assert first.accuracy == second.accuracy
    [path] = tmp_path.iterdir()
    assert float(np.load(path)["accuracy"]) == first.accuracy
    other = TrainingRecipe(epochs=3, width=8)
    with pytest.raises(AssertionError, match="trained"):
        digit_classifier.load_or_train(digits, cache_dir=tmp_path, recipe=other)


def _must_not_run(*_):
    raise AssertionError("trained")


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "pickled", "exchanged"])
def test_a_corrupt_cache_is_trained_again(damage, digits, quick, tmp_path):
    first = digit_classifier.load_or_train(digits, cache_dir=tmp_path, recipe=quick)
    [path] = tmp_path.iterdir()
    content = path.read_bytes()
    arrays = dict(np.load(path))
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        flipped = bytes([content[middle] ^ 1])
        path.write_bytes(content[:middle] + flipped + content[middle + 1 :])
    elif damage == "pickled":
        arrays["weight_0"] = np.array([_Bomb()], dtype=object)
        np.savez(path, **arrays)
    else:
        arrays["weight_0"] = arrays["weight_0"] + 1
        np.savez(path, **arrays)
    again = digit_classifier.load_or_train(digits, cache_dir=tmp_path, recipe=quick)
    assert again.weights_hash == first.weights_hash
    assert np.load(path)["weights_hash"] == first.weights_hash


class _Bomb:
    def __reduce__(self):
        return pytest.fail, ("the cache was unpickled",)


def test_an_unwritable_cache_costs_a_warning_only(digits, quick, tmp_path, caplog):
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "below"
    classifier = digit_classifier.load_or_train(digits, cache_dir=cache, recipe=quick)
    assert classifier.accuracy > 0.5
    assert "LOGAN_TF_CACHE" in caplog.text


def test_a_classifier_that_cannot_read_is_refused(digits, tmp_path):
    class Shuffled:
        name = "digits"
        shape = digits.shape

        def arrays(self, split):
            images, labels = digits.arrays(split)
            return images, labels[::-1]

    with pytest.raises(BadDataError, match="held-out"):
        digit_classifier.load_or_train(Shuffled(), cache_dir=tmp_path, recipe=QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(4, 4, 1), (16, 16, 3), (16, 8, 1)])
def test_sizes_that_cannot_be_read_are_refused(shape, tmp_path):
    class Odd:
        name = "digits"
        arrays = staticmethod(_must_not_run)

    Odd.shape = shape
    with pytest.raises(ConfigurationError, match="square"):
        digit_classifier.load_or_train(Odd(), cache_dir=tmp_path)


@pytest.mark.parametrize("shape", [(0, 16, 16, 1), (2, 28, 28, 1), (2, 16, 16, 3)])
def test_images_of_another_shape_are_refused(shape, classifier):
    with pytest.raises(ConfigurationError, match="16, 16, 1"):
        classifier.outputs(np.zeros(shape, np.uint8))[0]
