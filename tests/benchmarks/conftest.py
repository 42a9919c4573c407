"""A game to be measured."""

from collections.abc import Callable

import keras
import pytest

from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.schedules import Schedule, Simultaneous
from logan_tf.networks import sngan
from logan_tf.training.experiment import Experiment


class _Pictures:
    """A data set of which only the shape is wanted."""

    shape = (16, 16, 3)
    num_classes = 0

    def examples(self, **_):
        raise AssertionError("the data was touched")


def _game(generator, discriminator) -> Game:
    step = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 0.1), fraction=0.8)
    return Game(generator, discriminator, latent_rule=LatentRule(step, 0.1))


@pytest.fixture(scope="session")
def small_sngan() -> Callable[..., Experiment]:
    """SN-GAN at 16×16 and width 2, with a latent step."""

    def build(
        schedule: Schedule | None = None, batch_size: int = 4, game=_game
    ) -> Experiment:
        return Experiment(
            dataset=_Pictures(),
            generator=lambda: sngan.Generator(16, 3, 2, 8),
            discriminator=lambda: sngan.Discriminator(16, 3, 2),
            generator_optimizer=keras.optimizers.Adam(1e-3),
            discriminator_optimizer=keras.optimizers.Adam(1e-3),
            game=game,
            schedule=schedule or Simultaneous(),
            batch_size=batch_size,
        )

    return build
