"""The digit classifier as a classifier of pictures with one channel or three."""

import itertools

import numpy as np
import pytest

from logan_tf.data.digits import Digits
from logan_tf.errors import ConfigurationError
from logan_tf.metrics.digit_reader import DigitReader


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_each_channel_is_read_alone(classifier, digits, channels):
    images, labels = digits.arrays("test")
    drawn = np.random.default_rng(0).integers(len(images), size=(40, channels))
    stacked = np.stack([images[drawn[:, c], ..., 0] for c in range(channels)], axis=-1)
    found = DigitReader(digits, channels, classifier).outputs(stacked)

    logits = classifier.outputs(images)[0].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    features = classifier.outputs(images)[1]
    assert found.logits.shape == (40, 10**channels)
    for i, row in enumerate(drawn):
        np.testing.assert_allclose(
            found.features[i], np.concatenate([features[j] for j in row]), atol=1e-4
        )
        least = min(shares[j].max() for j in row)
        assert found.confidences[i] == pytest.approx(least, rel=1e-4)
        joint = np.array(
            [
                np.prod([shares[j][digit] for j, digit in zip(row, mode, strict=True)])
                for mode in itertools.product(range(10), repeat=channels)
            ]
        )
        np.testing.assert_allclose(np.exp(found.logits[i]), joint, rtol=1e-3, atol=1e-7)
    true = labels[drawn] @ [10 ** (channels - 1 - c) for c in range(channels)]
    assert np.mean(found.logits.argmax(axis=1) == true) > 0.9


def test_the_receipt_tells_the_recipe_from_the_weights(classifier, digits):
    fields = DigitReader(digits, 3, classifier).fields()
    assert fields["classifier"] == classifier.recipe_hash
    assert fields["classifier_weights"] == classifier.weights_hash
    assert fields["classifier_accuracy"] > 0.98


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("digits", "_digits"),
        ("mnist:3.0.1", "_mnist"),
        ("emnist/mnist", "_emnist_mnist"),
    ],
)
def test_its_numbers_are_named_after_the_data(name, suffix):
    assert DigitReader(Digits(28, None, name), 3).suffix == suffix


def test_another_size_is_refused(classifier, digits):
    with pytest.raises(ConfigurationError, match=r"\[n, 16, 16, 1\]"):
        DigitReader(digits, 3, classifier).outputs(np.zeros((2, 8, 8, 3), np.uint8))
