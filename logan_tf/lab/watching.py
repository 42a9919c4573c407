"""Small GANs on points in the plane, looked at while they learn."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from logan_tf import progress
from logan_tf.data.batch import Dataset
from logan_tf.data.priors import normal_prior
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.game import Game
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.penalties.penalty import Penalty
from logan_tf.game.schedules import Schedule
from logan_tf.networks import mlp
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep

_SEED = (4, 2)  # of the latents that are looked at; those of training are the run's


class Learner(NamedTuple):
    """How a GAN of multilayer perceptrons learns: Adam, latents N(0, I).

    Attributes:
      label: in figures and tables.
      objective: of the game.
      hidden: widths of the discriminator's hidden layers.
      rate: of both players' Adam, > 0.
      beta_1: of both, in [0, 1).
      latent_rule: the latents' move; None: none.
      dynamics: None: plain.
      schedule: None: simultaneous.
      penalties: of the game; called for each game, as some keep variables.
      constraint: of the discriminator's weights; None: none.
    """

    label: str
    objective: Callable
    hidden: Sequence[int] = (128,)
    rate: float = 1e-3
    beta_1: float = 0.5
    latent_rule: LatentRule | None = None
    dynamics: Dynamics | None = None
    schedule: Schedule | None = None
    penalties: Callable[[], Sequence[Penalty]] = tuple
    constraint: keras.constraints.Constraint | None = None

    def experiment(self, dataset: Dataset, seed: int) -> Experiment:
        """On a data set of points, with batches of 128 and 64 latents."""
        return Experiment(
            dataset,
            partial(mlp.Generator, latent_dim=64),
            partial(mlp.Discriminator, hidden=self.hidden),
            generator_optimizer=keras.optimizers.Adam(self.rate, self.beta_1),
            discriminator_optimizer=keras.optimizers.Adam(self.rate, self.beta_1),
            game=lambda generator, discriminator: Game(
                generator,
                discriminator,
                self.objective,
                self.latent_rule,
                penalties=self.penalties(),
            ),
            schedule=self.schedule,
            dynamics=self.dynamics,
            prior=normal_prior,
            batch_size=128,
            seed=seed,
            discriminator_constraint=self.constraint,
        )


class Snapshot(NamedTuple):
    """The players at a step.

    Attributes:
      step: updates of the generator so far.
      points: float32 [n, 2], the generator's of the same latents each time.
      scores: float32 [side, side], the discriminator's on `plane`.
    """

    step: int
    points: np.ndarray
    scores: np.ndarray


def experiments(
    learners: Sequence[Learner], dataset: Dataset, seeds: int
) -> Iterator[tuple[Learner, Experiment]]:
    """Every learner with every seed from 0 on; shows how many trainings are done."""
    total = len(learners) * seeds
    with progress.bar(desc="training", total=total, unit="run") as shown:
        for learner in learners:
            for seed in range(seeds):
                yield learner, learner.experiment(dataset, seed)
                shown.update()


def plane(extent: float, side: int) -> np.ndarray:
    """Places in the square [−extent, extent]², float32 [side · side, 2], row by row.

    Rows go up the second coordinate, as an image with its origin below has them.
    """
    ticks = np.linspace(-extent, extent, side, dtype=np.float32)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def watch(
    experiment: Experiment,
    steps: int,
    every: int,
    extent: float,
    side: int = 96,
    count: int = 1024,
) -> Iterator[Snapshot]:
    """Trains, and shows the players before the first step and after every so many.

    Args:
      experiment: of points in the plane; its players are those that learn.
      steps: of training, a multiple of `every`.
      every: steps between two looks.
      extent: half a side of the square that scores are of.
      side: places along it.
      count: points to look at.
    """
    train = TrainStep(experiment, tf.distribute.get_strategy(), False)
    batches = iter(experiment.batches())
    latents = experiment.prior((count, experiment.latent_dim), tf.constant(_SEED))
    places = tf.constant(plane(extent, side))
    for step in range(0, steps + 1, every):
        if step:
            train.run(batches, every)
        points = experiment.generator(latents, None, training=False).numpy()
        scores = experiment.discriminator(places, None).numpy()
        yield Snapshot(step, points, scores.reshape(side, side))
