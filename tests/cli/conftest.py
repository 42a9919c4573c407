"""Runs of some steps that the tests of this folder look at."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TINY_RING = {
    "total_steps": 4,
    "batch_size": 4,
    "latent_dim": 4,
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 0,
    "standing_batches": 1,
    "mlp.Generator.hidden": (8,),
    "mlp.Discriminator.hidden": (8,),
}


@pytest.fixture(scope="session")
def params() -> Callable[..., list[str]]:
    """Bindings → the flags that say them; the smallest ring, and what is given."""

    def flags(given: dict | None = None, **macros) -> list[str]:
        bindings = TINY_RING | (given or {}) | macros
        return [f"--gin_param={name} = {value!r}" for name, value in bindings.items()]

    return flags


@pytest.fixture(scope="session")
def train(command) -> Callable[..., str]:
    """Flags → the output of a run that succeeds."""

    def run(*flags: str) -> str:
        done = command("train", *flags, "--noprogress")
        assert (done.exit_code, done.err) == (0, "")
        return done.out

    return run


@pytest.fixture(scope="session")
def ring_run(command, params, tmp_path_factory) -> Path:
    """LOGAN on the ring after four steps."""
    path = tmp_path_factory.mktemp("ring")
    done = command(
        "train", "--gin_file=ring_logan", f"--run_dir={path}", *params(), "--noprogress"
    )
    assert (done.exit_code, done.err) == (0, "")
    return path


@pytest.fixture(scope="session")
def digits_run(command, data_dir, tmp_path_factory) -> Path:
    """LOGAN on the digits after four steps, with samples and metrics on the way."""
    path = tmp_path_factory.mktemp("digits")
    bindings = {
        "total_steps": 4,
        "batch_size": 4,
        "width": 2,
        "latent_dim": 8,
        "log_every": 1,
        "checkpoint_every": 2,
        "sample_every": 2,
        "standing_batches": 1,
        "data_dir": data_dir,
    }
    flags = [f"--gin_param={name} = {value!r}" for name, value in bindings.items()]
    done = command(
        "train", "--gin_file=digits_logan", f"--run_dir={path}", *flags, "--noprogress"
    )
    assert (done.exit_code, done.err) == (0, "")
    return path


MODULE = '''
"""A conditional generator that repeats the mean digit of a class, with noise."""
import gin
import keras
import numpy as np
import tensorflow as tf
from sklearn import datasets

images, labels = datasets.load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8).repeat(2, 1).repeat(2, 2)[..., None] / 8 - 1
MEANS = np.stack([images[labels == c].mean(0) for c in range(10)]).astype("float32")


class Generator(keras.Model):
    num_classes = 10
    latent_dim = 8

    def __init__(self, conditional=True):
        super().__init__()
        self.conditional = conditional
        noise = np.random.default_rng(0).normal(size=(8, 16 * 16)).astype("float32")
        self.noise = self.add_weight(
            shape=noise.shape, initializer=lambda *_, **__: 0.3 * noise
        )

    def call(self, latents, labels, training=False):
        noise = tf.reshape(latents @ self.noise, [-1, 16, 16, 1])
        return tf.clip_by_value(tf.gather(MEANS, labels) + noise, -1.0, 1.0)


class Discriminator(keras.Model):
    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=())

    def call(self, images, labels):
        return self.scale * tf.reduce_mean(images, [1, 2, 3])


def linear(shape, num_classes):
    layers = [keras.layers.Flatten(), keras.layers.Dense(num_classes)]
    return keras.Sequential([keras.Input(shape), *layers])


gin.external_configurable(Generator, module="conditional_digits")
gin.external_configurable(Discriminator, module="conditional_digits")
gin.external_configurable(linear, module="conditional_digits")
'''


@pytest.fixture(scope="session")
def conditional_folder(tmp_path_factory) -> Iterator[Path]:
    """With the module; on the import path."""
    path = tmp_path_factory.mktemp("conditional")
    (path / "conditional_digits.py").write_text(MODULE)
    sys.path.insert(0, str(path))
    yield path
    sys.path.remove(str(path))


@pytest.fixture(scope="session")
def conditional_run(command, data_dir, conditional_folder) -> Path:
    bindings = {
        "total_steps": 1,
        "batch_size": 4,
        "sample_every": 0,
        "standing_batches": 1,
        "data_dir": data_dir,
    }
    flags = [f"--gin_param={name} = {value!r}" for name, value in bindings.items()]
    done = command(
        "train",
        "--gin_file=digits_logan",
        "--gin_param=Experiment.generator = @conditional_digits.Generator",
        "--gin_param=Experiment.discriminator = @conditional_digits.Discriminator",
        "--gin_param=Game.latent_rule = None",
        f"--run_dir={conditional_folder / 'run'}",
        "--module=conditional_digits",
        *flags,
        "--noprogress",
    )
    assert (done.exit_code, done.err) == (0, "")
    return conditional_folder / "run"
