"""A few steps of LOGAN on one device, on two, or as one of two workers.

`python replica_run.py one_and_mirrored|broken|dynamics|penalties|worker OUTPUT.npz`:
devices can be split and workers can meet only as a process starts.
`test_replica_invariance` compares.
"""

import sys
from unittest import mock

import keras
import numpy as np
import replica_fields
import tensorflow as tf

from logan_tf.data import pixels
from logan_tf.game import game as game_module
from logan_tf.game import latent, objectives
from logan_tf.game.game import Game
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.schedules import Alternating, Simultaneous
from logan_tf.layers.rematerialization import rematerialized
from logan_tf.networks import sngan
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training import strategy as strategies
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep
from logan_tf.training.strategy import is_chief
from logan_tf.training.trainer import Trainer

RATE, STEPS, BATCH = 0.05, 5, 8
# The schedule, and the number of micro-batches.
SCHEDULES = {
    "simultaneous": (Simultaneous(), 1),
    "alternating": (Alternating(2), 2),
}


class Pictures:
    """Forty pictures of noise: a step's batches meet the end of an epoch."""

    shape = (8, 8, 3)
    num_classes = 0

    def examples(self, *, seed, first, count, rows):
        images = np.random.default_rng(0).integers(0, 256, (40, *self.shape))
        return pixels.shuffled_examples(
            images.astype(np.uint8),
            np.zeros(40, np.int32),
            seed=seed,
            first=first,
            count=count,
            rows=rows,
            flip=True,
        )


def build(schedule, accumulation: int) -> Experiment:
    def game(generator, discriminator) -> Game:
        return Game(
            generator,
            discriminator,
            objectives.non_saturating,
            LatentRule(
                latent.LatentOptimizer(
                    lambda g: latent.natural_gradient_step(g, 0.9, 0.1), fraction=0.8
                ),
                regularizer_weight=0.1,
            ),
        )

    return Experiment(
        dataset=Pictures(),
        generator=lambda: sngan.Generator(8, width=4, latent_dim=8),
        discriminator=lambda: sngan.Discriminator(8, width=4),
        generator_optimizer=keras.optimizers.SGD(RATE),
        discriminator_optimizer=keras.optimizers.SGD(RATE),
        game=game,
        schedule=schedule,
        averaging=ExponentialMovingAverage(0.9, start_step=1),
        batch_size=BATCH,
        accumulation=accumulation,
        seed=1,
    )


class Recorder(TrainStep):
    """Steps of an experiment under a strategy, and all numbers that come out."""

    def __init__(self, strategy, schedule) -> None:
        with strategy.scope():
            self.experiment = build(*SCHEDULES[schedule])
        super().__init__(self.experiment, strategy)
        trainer = Trainer(
            self.experiment, strategy, RunDirectory("unused"), total_steps=STEPS
        )
        trainer.open_data()
        self.batches = trainer._batches
        self._step = tf.function(lambda batches: self.one_step(next(batches)))
        with strategy.scope():
            self._seen = {
                player: (
                    tf.Variable(0, trainable=False),
                    [
                        tf.Variable(tf.zeros((2, *variable.shape)), trainable=False)
                        for variable in self.experiment.game.variables(player)
                    ],
                )
                for player in self.experiment.optimizers
            }
        self._apply = self.experiment.optimization.apply
        self.experiment.optimization.apply = self._noted

    def _noted(self, player, gradients):
        """Notes the gradients of two updates; in variables, for it may be in a loop."""
        count, seen = self._seen[player]
        for variable, gradient in zip(seen, gradients, strict=True):
            place = tf.reshape(count % 2, (1, 1))
            noted = tf.tensor_scatter_nd_update(variable, place, gradient[None])
            variable.assign(noted)
        count.assign_add(1)
        return self._apply(player, gradients)

    def record(self, num_steps: int) -> dict[str, np.ndarray]:
        """The first step's gradients, variables before and after, metrics, pictures."""
        found = self._weights("start")
        rows = [self._step(self.batches)]
        for player, (count, seen) in self._seen.items():
            for update in range(count.numpy()):
                for index, gradient in enumerate(seen):
                    name = f"gradient/{update}-{player}/{index}"
                    found[name] = gradient.numpy()[update]
        rows += [self._step(self.batches) for _ in range(1, num_steps)]
        for name, values in zip(self.metric_names, np.transpose(rows), strict=True):
            found[f"metric/{name}"] = values
        found |= self._weights("end")
        latents = self.experiment.prior((16, 8), tf.constant([3, 4], tf.int64))
        found["images"] = self.experiment.generator(latents).numpy()
        return found

    def _weights(self, when: str) -> dict[str, np.ndarray]:
        return {
            f"{when}/{name}/{index}/{variable.name}": variable.numpy()
            for name in ("generator", "discriminator", "averaged_generator")
            for index, variable in enumerate(getattr(self.experiment, name).variables)
        }


def everything(strategy, schedules=SCHEDULES) -> dict[str, np.ndarray]:
    found = replica_fields.second_order(strategy, "batch_norm")
    found |= replica_fields.second_order(strategy, "rematerialized", rematerialized)
    found |= replica_fields.products(strategy)
    for schedule in schedules:
        found |= _under(schedule, Recorder(strategy, schedule).record(STEPS))
    return found


def broken(strategy) -> dict[str, np.ndarray]:
    """One step whose losses or latents have a wrong scale."""
    replicas = strategy.num_replicas_in_sync
    gradient = latent._gradient
    found = {}
    for name, patch in {
        "loss": mock.patch.object(game_module, "per_replica", lambda loss: loss),
        "latent": mock.patch.object(
            latent, "_gradient", lambda *args: gradient(*args) / replicas
        ),
    }.items():
        with patch:
            recorded = Recorder(strategy, "simultaneous").record(1)
        found |= _under(f"broken_{name}", recorded)
    return found


def _under(prefix: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": value for name, value in values.items()}


def main(what: str, output: str) -> None:
    if what == "worker":
        strategy = strategies.create()
        found = everything(strategy, ["alternating"])  # It has micro-batches, too.
        if is_chief(strategy):
            np.savez(output, **found)
        return
    mirrored = strategies.create("mirrored", virtual_devices=2)
    alone = tf.distribute.get_strategy()
    if what in ("dynamics", "penalties"):
        measure = getattr(replica_fields, what)
        one, two = measure(alone), measure(mirrored)
    elif what == "broken":
        one, two = {}, broken(mirrored)
    elif what == "one_and_workers":
        one, two = everything(alone, ["alternating"]), {}
    else:
        one, two = (
            everything(each, ["simultaneous"])
            | replica_fields.look_ahead(each)
            | replica_fields.keras_fit(each)
            for each in (alone, mirrored)
        )
    np.savez(output, **_under("one", one), **_under("two", two))


if __name__ == "__main__":
    main(*sys.argv[1:])
