"""examples/classifier_from_keras.py: what it writes is a classifier of bin/evaluate."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from logan_tf.metrics.classifiers import SavedModelClassifier

EXAMPLE = runpy.run_path(
    str(Path(__file__).parents[2] / "examples/classifier_from_keras.py")
)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def _network() -> keras.Model:
    """Means of pixels and two dense layers, for images of 8x8."""
    keras.utils.set_random_seed(0)
    images = keras.Input([8, 8, 3])
    means = keras.layers.GlobalAveragePooling2D()(images)
    features = keras.layers.Dense(6, activation="relu")(means)
    return keras.Model(images, keras.layers.Dense(4)(features))


def _scaled(pixels):
    return pixels / 255


@pytest.mark.parametrize("features_only", [False, True])
def test_what_is_written_reads_as_the_network_does(features_only, tmp_path):
    network, path = _network(), str(tmp_path / "model")
    EXAMPLE["save"](EXAMPLE["Classifier"](network, _scaled, features_only), path)
    found = SavedModelClassifier(path, "mine", batch_size=4).outputs(IMAGES)
    first, bias, second, last = (np.array(v) for v in network.weights)
    means = (IMAGES / 255).mean(axis=(1, 2))
    features = np.maximum(means @ first + bias, 0)
    np.testing.assert_allclose(found.features, features, atol=1e-5)
    if features_only:
        assert found.logits is None
        assert found.confidences is None
    else:
        np.testing.assert_allclose(found.logits, features @ second + last, atol=1e-5)


@pytest.mark.slow
def test_a_network_of_keras_with_weights_of_a_file(tmp_path):
    weights = str(tmp_path / "mine.weights.h5")
    keras.applications.MobileNetV2(weights=None).save_weights(weights)
    network, preprocess = EXAMPLE["load"]("MobileNetV2", weights)
    path = str(tmp_path / "model")
    EXAMPLE["save"](EXAMPLE["Classifier"](network, preprocess), path)
    found = SavedModelClassifier(path, "mine").outputs(IMAGES)
    assert found.logits.shape == (5, 1000)
    assert len(found.features) == 5


def test_a_network_without_a_last_dense_layer_is_refused():
    images = keras.Input([8, 8, 3])
    flat = keras.Model(images, keras.layers.Flatten()(images))
    with pytest.raises(SystemExit, match="does not end in a dense layer"):
        EXAMPLE["Classifier"](flat, _scaled)
