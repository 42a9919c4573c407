"""A game to be written as programs."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import pixels, random_access
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.networks import sngan
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.experiment import Experiment


class Pictures:
    """Twelve pictures of noise."""

    shape = (8, 8, 3)
    num_classes = 3
    identity = "noise"

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._images = rng.integers(0, 256, (12, *self.shape), np.uint8)
        self._labels = np.arange(12, dtype=np.int32) % 3

    def ordered(self, split):
        assert split == "train"
        yield self._images[:7], self._labels[:7]
        yield self._images[7:], self._labels[7:]

    def examples(self, *, seed, first, count, rows=random_access.ALL_ROWS):
        def draw(position):
            places = (position + tf.range(count, dtype=tf.int64)) % 12
            images = tf.gather(self._images, places)
            return pixels.to_float(images)[rows], tf.gather(self._labels, places)[rows]

        return random_access.chunks(draw, first=first, count=count)


def _game(generator, discriminator) -> Game:
    step = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 0.1), fraction=0.8)
    return Game(generator, discriminator, latent_rule=LatentRule(step, 0.1))


@pytest.fixture(scope="session")
def small_sngan() -> Callable[..., Experiment]:
    """SN-GAN at 8×8 and width 2, with a latent step and an average."""

    def build(seed: int = 0) -> Experiment:
        return Experiment(
            dataset=Pictures(),
            generator=lambda: sngan.Generator(8, 3, 2, 8),
            discriminator=lambda: sngan.Discriminator(8, 3, 2),
            generator_optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-2),
            discriminator_optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-2),
            game=_game,
            averaging=ExponentialMovingAverage(0.9, start_step=0),
            batch_size=4,
            seed=seed,
        )

    return build


@pytest.fixture(scope="session")
def strategy() -> tf.distribute.Strategy:
    """Of one device."""
    return tf.distribute.get_strategy()
