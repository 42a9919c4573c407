"""Experiments small enough to train in a test."""

import json
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import pixels
from logan_tf.data.points import Ring
from logan_tf.game import objectives
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.schedules import Alternating
from logan_tf.networks import mlp, sngan
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.experiment import Experiment
from logan_tf.training.trainer import Trainer


class TenPictures:
    """So few that a batch of four meets the end of an epoch in its third step."""

    shape = (16, 16, 3)
    num_classes = 10

    def examples(self, *, seed, first, count, rows):
        images = np.random.default_rng(0).integers(0, 256, (10, *self.shape))
        return pixels.shuffled_examples(
            images.astype(np.uint8),
            np.arange(10, dtype=np.int32),
            seed=seed,
            first=first,
            count=count,
            rows=rows,
            flip=True,
        )


class BrokenRing(Ring):
    """Its points are NaN from one on."""

    def __init__(self, first_broken: int) -> None:
        super().__init__()
        self.first_broken = first_broken

    def examples(self, *, seed, first, count, rows):
        points = super().examples(seed=seed, first=first, count=count, rows=rows)
        numbers = tf.data.Dataset.range(first, tf.int64.max, count)

        def broken(number, point):
            numbers = number + tf.range(count, dtype=tf.int64)
            lost = numbers[rows] >= self.first_broken
            return tf.where(lost[:, None], np.nan, point[0]), point[1]

        return tf.data.Dataset.zip(numbers, points).map(broken)


class OnceBrokenRing(Ring):
    """Its points are NaN in the fifth batch of four, in the first attempt alone."""

    def examples(self, *, seed, **position):
        broken = BrokenRing(16) if seed[1] == 0 else super()
        return broken.examples(seed=seed, **position)


def _game(generator, discriminator) -> Game:
    step = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 0.1), fraction=0.8)
    # Not the hinge, whose score has a bias without a gradient.
    return Game(
        generator,
        discriminator,
        objectives.non_saturating,
        LatentRule(step, regularizer_weight=0.1),
    )


@pytest.fixture(scope="session")
def toy() -> Callable[..., Experiment]:
    """Points, and two layers a player with spectral normalization."""

    def build(optimizer=lambda: keras.optimizers.Adam(0.01), width=8, **changes):
        return Experiment(
            **{
                "dataset": Ring(),
                "generator": lambda: mlp.Generator(latent_dim=4, hidden=(width,)),
                "discriminator": lambda: mlp.Discriminator(
                    hidden=(width,), spectral_normalization=True
                ),
                "generator_optimizer": optimizer(),
                "discriminator_optimizer": optimizer(),
                "game": _game,
                "averaging": ExponentialMovingAverage(0.9, start_step=1),
                "batch_size": 4,
                "seed": 3,
            }
            | changes
        )

    return build


@pytest.fixture(scope="session")
def small_sngan() -> Callable[[], Experiment]:
    """All that a run has: batch norm, spectral norm, Adam, a late average, epochs."""

    def build() -> Experiment:
        return Experiment(
            dataset=TenPictures(),
            generator=lambda: sngan.Generator(16, width=2, latent_dim=4),
            discriminator=lambda: sngan.Discriminator(16, width=2),
            generator_optimizer=keras.optimizers.Adam(0.01, beta_1=0.5),
            discriminator_optimizer=keras.optimizers.Adam(0.01, beta_1=0.5),
            game=_game,
            averaging=ExponentialMovingAverage(0.5, start_step=2),
            batch_size=4,
            seed=1,
        )

    return build


@pytest.fixture(scope="session")
def alternating_toy(toy) -> Callable[[], Experiment]:
    """Two updates of the discriminator for one of the generator."""
    return lambda: toy(schedule=Alternating(2))


@pytest.fixture(scope="session")
def ten_pictures() -> Callable[[int], TenPictures]:
    """size → the ten pictures in that size."""

    def build(size: int) -> TenPictures:
        dataset = TenPictures()
        dataset.shape = (size, size, 3)
        return dataset

    return build


@pytest.fixture(scope="session")
def broken_ring() -> type:
    return BrokenRing


@pytest.fixture(scope="session")
def once_broken_ring() -> type:
    return OnceBrokenRing


@pytest.fixture(scope="session")
def state() -> Callable[[Experiment], dict[str, np.ndarray]]:
    """All that an experiment holds and the recipe does not say, by name."""

    def read(experiment: Experiment) -> dict[str, np.ndarray]:
        holders = {
            "generator": experiment.generator,
            "averaged": experiment.averaged_generator,
            "discriminator": experiment.discriminator,
            **{f"{player}_optimizer": o for player, o in experiment.optimizers.items()},
        }
        return {
            f"{name}/{index}/{variable.path}": variable.numpy()
            for name, holder in holders.items()
            for index, variable in enumerate(holder.variables)
            if variable.name != "learning_rate"
        }

    return read


@pytest.fixture(scope="session")
def same() -> Callable[[dict, dict], None]:
    """Asserts that two states are equal bit for bit."""

    def check(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
        assert len(left) == len(right)
        for (name, a), b in zip(left.items(), right.values(), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name, strict=True)

    return check


def _trainer(experiment, path, **settings) -> Trainer:
    directory = RunDirectory(path)
    directory.path.mkdir(parents=True, exist_ok=True)
    made = Trainer(experiment, tf.distribute.get_strategy(), directory, **settings)
    made.restore()
    return made


@pytest.fixture(scope="session")
def trainer() -> Callable[..., Trainer]:
    return _trainer


def _lines(path) -> list[dict]:
    """The metrics but the speed, which no two runs share."""
    read = [json.loads(line) for line in (path / "metrics.jsonl").open()]
    return [
        {k: v for k, v in line.items() if k != "images_per_second"} for line in read
    ]


@pytest.fixture(scope="session")
def lines() -> Callable[..., list[dict]]:
    return _lines


BESIDE = {"configuration", "custom_scalars__config__", "_hparams_/session_start_info"}
"""What a run writes each time it is opened."""


def _events(path) -> list[tuple[int, str]]:
    """(step, tag) of every scalar, whichever file it is in."""
    found = []
    for file in sorted((path / "events").iterdir()):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            tags = [value.tag for value in event.summary.value]
            found += [(event.step, tag) for tag in tags if tag not in BESIDE]
    return sorted(found)


@pytest.fixture(scope="session")
def events() -> Callable[..., list[tuple[int, str]]]:
    return _events
