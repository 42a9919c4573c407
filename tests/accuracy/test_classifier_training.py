"""A tiny classifier: what it learns, what a kill changes (nothing), what is refused."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.accuracy import classifier_epochs, residual_network
from logan_tf.accuracy.classifier_input import ClassifierInput
from logan_tf.accuracy.classifier_training import ClassifierTraining, TrainingSet
from logan_tf.errors import BadDataError, ConfigurationError, DivergedError
from logan_tf.evaluation.receipts import fingerprint

SHAPE = (8, 8, 1)


def tiny(shape: tuple, num_classes: int) -> keras.Model:
    """Normalized, so that it has running statistics to restore."""
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(num_classes),
        ]
    )


def examples(num: int = 70) -> TrainingSet:
    """Three classes: which third of the rows is bright."""
    generator = np.random.default_rng(0)
    labels = (np.arange(num) % 3).astype(np.int32)
    images = generator.integers(0, 100, (num, *SHAPE)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 3] += 100
    return TrainingSet(labels, images, 3)


def training(architecture: str | Callable = tiny, **arguments) -> ClassifierTraining:
    given = {
        "pictures": ClassifierInput(8, "nearest", shift=1),
        "epochs": 4,
        "batch_size": 16,
        "learning_rate": 0.1,
        **arguments,
    }
    return ClassifierTraining(architecture, **given)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[keras.Model, Path]:
    """A training that nothing interrupted, and its folder.

    TensorFlow takes the name for a pattern that the folder does not fit.
    """
    folder = tmp_path_factory.mktemp("whole") / "of[all]"
    return training(warmup_epochs=1).train(examples(), folder, "tests"), folder


def train_again(folder: Path, data: TrainingSet | None = None) -> str:
    model = training(warmup_epochs=1).train(data or examples(), folder, "tests")
    assert model.optimizer.iterations.numpy() == 16
    return fingerprint(model.get_weights())


def test_it_learns_the_classes(whole):
    model, folder = whole
    data = examples()
    parts = [data.pictures[:40], data.pictures[40:]]
    logits = list(training().logits(model, parts))
    assert [part.shape for part in logits] == [(40, 3), (30, 3)]
    assert np.mean(np.concatenate(logits).argmax(1) == data.labels) > 0.95
    assert [path.name for path in folder.iterdir()] == ["ckpt-4"]


@pytest.mark.parametrize("killed_at", ["batch", "saving"])
def test_a_training_that_was_killed_ends_with_the_same_bits(
    killed_at, whole, tmp_path, monkeypatch
):
    calls = []

    def kill(*arguments, **keywords):
        calls.append(arguments)
        if len(calls) == (10 if killed_at == "batch" else 3):
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    where = {
        "batch": (classifier_epochs.Epochs, "on_train_batch_end"),
        "saving": (tf.train.Checkpoint, "write"),
    }[killed_at]
    original = getattr(*where)
    with monkeypatch.context() as patch:
        patch.setattr(*where, kill)
        with pytest.raises(KeyboardInterrupt):
            train_again(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt-2"]
    assert train_again(tmp_path) == fingerprint(whole[0].get_weights())


def test_a_damaged_checkpoint_is_one_line(whole, tmp_path):
    folder = shutil.copytree(whole[1], tmp_path / "damaged")
    (data,) = folder.glob("ckpt-4/state.data*")
    damaged = bytearray(data.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    data.write_bytes(damaged)
    with pytest.raises(BadDataError, match="remove the folder"):
        train_again(folder)


def test_a_finished_training_is_read_and_another_seed_is_another(whole, tmp_path):
    black = dataclasses.replace(examples(), pictures=np.zeros((70, *SHAPE), np.uint8))
    assert train_again(whole[1], black) == fingerprint(whole[0].get_weights())
    other = training(warmup_epochs=1, seed=1).train(examples(), tmp_path, "tests")
    assert fingerprint(other.get_weights()) != fingerprint(whole[0].get_weights())


def test_an_epoch_takes_each_example_once():
    made = training()
    labels = np.arange(64, dtype=np.int32)
    data = TrainingSet(labels, examples(64).pictures, 64)
    found = [y.numpy() for _, y in made._batches(data, 0, 8)]
    assert sorted(np.concatenate(found[:4])) == sorted(np.concatenate(found[4:]))
    assert len({*np.concatenate(found[:4])}) == 64
    assert np.concatenate(found[:4]).tolist() != np.concatenate(found[4:]).tolist()
    # Entered at any batch, they are the same.
    (later,) = made._batches(data, 6, 7)
    np.testing.assert_array_equal(later[1], found[6])


def test_one_step_is_momentum_with_decay(tmp_path):
    """Two epochs of one batch against NumPy: gradient + λ w, then .9 of the last."""
    data = examples(16)
    arguments = {
        "pictures": ClassifierInput(8, "nearest"),
        "epochs": 2,
        "learning_rate": 0.5,
        "weight_decay": 0.1,
    }

    def linear(shape, num_classes):
        layers = [keras.layers.Flatten(), keras.layers.Dense(num_classes)]
        return keras.Sequential([keras.Input(shape), *layers])

    made = training(linear, **arguments)
    weights, bias = (w.astype(np.float64) for w in made.build(SHAPE, 3).get_weights())
    found = made.train(data, tmp_path, "tests").get_weights()
    x = data.pictures.reshape(16, 64) / 127.5 - 1
    moved = [np.zeros_like(weights), np.zeros_like(bias)]
    for step in range(2):
        rate = 0.5 * (1 + np.cos(np.pi * step / 2)) / 2
        logits = x @ weights + bias
        p = np.exp(logits - logits.max(1, keepdims=True))
        error = (p / p.sum(1, keepdims=True) - np.eye(3)[data.labels]) / 16
        slopes = [x.T @ error + 0.1 * weights, error.sum(0)]
        moved = [0.9 * m - rate * g for m, g in zip(moved, slopes, strict=True)]
        weights, bias = weights + moved[0], bias + moved[1]
    np.testing.assert_allclose(found[0], weights, atol=1e-5)
    np.testing.assert_allclose(found[1], bias, atol=1e-5)


def test_the_rate_warms_up_and_falls_to_zero():
    rates = training(epochs=10, warmup_epochs=2)._schedule(steps=5)
    found = [float(rates(step)) for step in (0, 5, 10, 30, 50)]
    np.testing.assert_allclose(found, [0, 0.05, 0.1, 0.05, 0], atol=1e-7)


def test_what_is_described():
    text = training(optimizer=keras.optimizers.Adam, seed=3).describe((8, 8, 1))
    for part in ("tiny 8x8x1", "nearest", "shift=1", "epochs=4", "Adam()", "seed=3"):
        assert part in text
    assert "SGD(momentum=0.9)" in ClassifierTraining().describe((32, 32, 3))
    assert "ResNet50 32x32x1" in ClassifierTraining().describe((16, 16, 1))


def test_networks_of_keras_by_name():
    small = ClassifierTraining("MobileNet", statistics_momentum=0.8)
    model = small.build((16, 16, 1), 7)
    assert model.output_shape == (None, 7)
    assert model.layers[-1].activation is keras.activations.linear
    momenta = {getattr(layer, "momentum", 0.8) for layer in model.layers}
    assert momenta == {0.8}
    with pytest.raises(ConfigurationError, match=r"InceptionV3.*ClassifierInput\.size"):
        ClassifierTraining("InceptionV3").build((32, 32, 3), 10)
    with pytest.raises(ConfigurationError, match="did you mean 'ResNet50'"):
        ClassifierTraining("ResNet5O")


def test_the_residual_network_for_small_pictures():
    model = residual_network.resnet_56((32, 32, 3), 10, depth=20)
    weighted = [w for w in model.trainable_variables if len(w.shape) > 1]
    assert len(weighted) == 20
    # He et al. 2016, Table 6: .27 million.
    assert sum(np.prod(w.shape) for w in model.trainable_variables) == 269_722
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    assert model(images).shape == (2, 10)
    with pytest.raises(ConfigurationError, match="6 n"):
        residual_network.resnet_56((8, 8, 1), 3, depth=51)


def test_shortcuts_take_every_second_pixel_and_add_channels_of_zeros():
    """Where all weights are 0, a network is its shortcuts."""
    model = residual_network.resnet_56((8, 8, 1), 1, depth=8)
    first = model.layers[1]
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    first.set_weights([np.ones((3, 3, 1, 16), np.float32) / 9])
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            ones = np.ones(layer.gamma.shape, np.float32)
            layer.set_weights([ones, 0 * ones, 0 * ones, ones])
    pooled = keras.Model(model.input, model.layers[-2].output)
    images = np.zeros((1, 8, 8, 1), np.float32)
    images[0, 4, 4] = 90  # its means over 3x3 are seen at 4 of 0, 2, 4, 6; then at 0, 4
    found = pooled(images)[0].numpy()
    assert np.count_nonzero(found) == 16
    np.testing.assert_allclose(found[24:40], 10 / 4, rtol=1e-2)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"epochs": 0}, "epochs must be 1"),
        ({"batch_size": 0}, "batch_size must be 1"),
        ({"learning_rate": -0.1}, "learning_rate must be 0"),
        ({"weight_decay": float("nan")}, "weight_decay must be 0"),
        ({"warmup_epochs": 4}, "warms up for 4 of 4"),
    ],
)
def test_bad_numbers(arguments, cause):
    with pytest.raises(ConfigurationError, match=cause):
        training(**arguments)


def test_what_cannot_be_trained(tmp_path):
    with pytest.raises(ConfigurationError, match=r"batch_size is 100.*lower"):
        training(batch_size=100).train(examples(), tmp_path, "tests")
    with pytest.raises(ConfigurationError, match="one logit for each of 3"):
        training(lambda shape, classes: tiny(shape, 5)).build(SHAPE, 3)
    with pytest.raises(DivergedError, match=r"epoch 1.*learning_rate"):
        training(learning_rate=1e30).train(examples(), tmp_path / "a", "tests")
    assert not list((tmp_path / "a").glob("*.index"))
    (tmp_path / "file").touch()
    with pytest.raises(BadDataError, match="--work_dir"):
        training().train(examples(), tmp_path / "file" / "b", "tests")
