"""A few steps of LOGAN on one device, on two, or as one of two workers.

`python replica_run.py one_and_mirrored|worker OUTPUT.npz`: devices can be split and
workers can meet only as a process starts. `test_replica_invariance` compares.
"""

import contextlib
import sys
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from logan_tf.data import pixels
from logan_tf.data.points import Ring
from logan_tf.game import game as game_module
from logan_tf.game import latent, objectives, weights
from logan_tf.game.dynamics.competitive import CompetitiveGradientDescent
from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.extrapolation_from_the_past import (
    ExtrapolationFromThePast,
)
from logan_tf.game.dynamics.follow_the_ridge import FollowTheRidge
from logan_tf.game.dynamics.joint_gradient_norm import JointGradientNorm
from logan_tf.game.dynamics.momentum import Momentum
from logan_tf.game.dynamics.nagarajan_kolter import NagarajanKolter
from logan_tf.game.dynamics.optimistic import Optimistic
from logan_tf.game.dynamics.symplectic import SymplecticGradientAdjustment
from logan_tf.game.dynamics.unrolled import Unrolled
from logan_tf.game.game import Game
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.replicas import summed
from logan_tf.game.round import Round
from logan_tf.game.schedules import Alternating, Simultaneous
from logan_tf.game.weights import PLAYERS
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.rematerialization import rematerialized
from logan_tf.layers.spectral_normalization import SpectralDense
from logan_tf.networks import mlp, sngan
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
# Each once, with as few iterations as take part in its sums.
DYNAMICS = {
    "consensus": Consensus(0.5),
    "symplectic": SymplecticGradientAdjustment(0.5, align=True),
    "nagarajan_kolter": NagarajanKolter(0.5),
    "joint_gradient_norm": JointGradientNorm(),
    "extragradient": Extragradient(),
    "extrapolation_from_the_past": ExtrapolationFromThePast(),
    "optimistic": Optimistic(),
    "momentum": Momentum(-0.5),
    "unrolled": Unrolled(2, 0.1, adam=True),
    "competitive": CompetitiveGradientDescent(0.1, iterations=1),
    "follow_the_ridge": FollowTheRidge(iterations=1),
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

    def _apply(self, player, gradients):
        """Notes the gradients of two updates; in variables, for it may be in a loop."""
        count, seen = self._seen[player]
        for variable, gradient in zip(seen, gradients, strict=True):
            place = tf.reshape(count % 2, (1, 1))
            noted = tf.tensor_scatter_nd_update(variable, place, gradient[None])
            variable.assign(noted)
        count.assign_add(1)
        return super()._apply(player, gradients)

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


def second_order(strategy, name, call=lambda layer, x: layer(x)):
    """First and second derivative through batch normalization, in float64."""
    x = np.random.default_rng(1).normal(size=(BATCH, 3)) ** 3
    with strategy.scope():
        layer = BatchNormalization(dtype="float64")
        layer.build(x.shape)

    def on_replica(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(tf.tanh(call(layer, x)) ** 2)
            first = inner.gradient(total, x)
            norm = tf.reduce_sum(first**2)
        return first, outer.gradient(norm, x)

    def rows(context):
        each = BATCH // context.num_replicas_in_sync
        start = context.replica_id_in_sync_group * each
        return tf.constant(x[start : start + each])

    own = strategy.experimental_distribute_values_from_function(rows)
    found = tf.function(lambda own: strategy.run(on_replica, args=(own,)))(own)
    return {
        f"{name}/{order}": strategy.gather(value, axis=0).numpy()
        for order, value in zip(("first", "second"), found, strict=True)
    }


@contextlib.contextmanager
def float64():
    """Networks that are built inside are the same ones, in float64."""
    keras.utils.set_random_seed(0)
    before, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    yield
    keras.config.set_dtype_policy(before)
    keras.config.set_floatx(floatx)


def rounds(strategy, images, latents):
    """Each replica's rows, as a round without labels."""

    def rows(context):
        each = len(latents) // context.num_replicas_in_sync
        start = context.replica_id_in_sync_group * each
        part = slice(start, start + each)
        labels = tf.zeros([each], tf.int32)
        return Round(
            tf.constant(images[part]), labels, tf.constant(latents[part]), labels
        )

    return strategy.experimental_distribute_values_from_function(rows)


def products(strategy) -> dict[str, np.ndarray]:
    """The field of LOGAN elsewhere than at its own weights, J u, J'u, and one unrolled
    step, in float64 through batch norm and spectral norm.
    """
    with float64(), strategy.scope():
        generator = sngan.Generator(8, width=4, latent_dim=8)
        discriminator = sngan.Discriminator(8, width=4)
        discriminator(generator(tf.zeros([2, 8])))
    step = latent.LatentOptimizer(
        lambda g: latent.natural_gradient_step(g, 0.9, 0.1), fraction=0.8
    )
    game = Game(generator, discriminator, latent_rule=LatentRule(step, 0.1))
    rng = np.random.default_rng(3)
    images, latents = rng.normal(size=(BATCH, 8, 8, 3)), rng.uniform(-1, 1, (BATCH, 8))
    u = {
        player: [tf.constant(rng.normal(size=v.shape)) for v in game.variables(player)]
        for player in PLAYERS
    }

    def on_replica(round_):
        field = game.field(round_)
        own = field.weights
        at = weights.moved(own, u, 0.01)
        with tf.GradientTape() as tape:
            tape.watch(own["generator"])
            slope = field(own, players=["discriminator"])
            loss = field.loss("generator", weights.moved(own, slope, -0.1))
        unrolled = summed(tape.gradient(loss, own["generator"]))
        return field(at), field.along(u, at), field.transposed(u, at), unrolled

    found = tf.function(lambda own: strategy.run(on_replica, args=(own,)))(
        rounds(strategy, images, latents)
    )
    first = strategy.experimental_local_results
    names = ("field", "along", "transposed", "unrolled")
    return {
        f"products/{name}/{index}": first(value)[0].numpy()
        for name, vector in zip(names, found, strict=True)
        for index, value in enumerate(tf.nest.flatten(vector))
    }


class SmallGenerator(keras.Model):
    """Batch norm and tanh: small enough for third derivatives."""

    def __init__(self) -> None:
        super().__init__()
        self.layers_ = [keras.layers.Dense(4), BatchNormalization()]
        self.points = keras.layers.Dense(2)

    def call(self, latents, labels=None, training=True):
        project, normalize = self.layers_
        return self.points(tf.tanh(normalize(project(latents), training=training)))


class SmallDiscriminator(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.score = SpectralDense(4), SpectralDense(1)

    def call(self, images, labels=None):
        return tf.squeeze(self.score(tf.tanh(self.hidden(images))), -1)


def dynamics(strategy) -> dict[str, np.ndarray]:
    """Two updates of all dynamics, from the same weights, in float64. Without latent
    optimization, which `products` has: each takes seconds to trace.
    """
    with float64(), strategy.scope():
        generator, discriminator = SmallGenerator(), SmallDiscriminator()
        discriminator(generator(tf.zeros([2, 3])))
    game = Game(generator, discriminator, objectives.non_saturating)
    with strategy.scope():
        for each in DYNAMICS.values():
            each.build(
                game.weights(), lambda v: weights.moved(game.weights(), v, -RATE)
            )

    def on_replica(round_):
        return {name: each(game.field(round_)) for name, each in DYNAMICS.items()}

    rng = np.random.default_rng(4)
    own = rounds(strategy, rng.normal(size=(BATCH, 2)), rng.normal(size=(BATCH, 3)))
    found = {}
    for update in range(2):  # Eagerly: to trace all of them takes longer.
        vectors = strategy.run(on_replica, args=(own,))
        for name, vector in strategy.experimental_local_results(vectors)[0].items():
            for index, value in enumerate(tf.nest.flatten(vector)):
                found[f"dynamics/{name}/{update}/{index}"] = value.numpy()
    return found


def look_ahead(strategy) -> dict[str, np.ndarray]:
    """Weights after three steps of extragradient, by the players' own optimizers."""
    with strategy.scope():
        experiment = Experiment(
            dataset=Ring(),
            generator=lambda: mlp.Generator(latent_dim=4, hidden=(8,)),
            discriminator=lambda: mlp.Discriminator(hidden=(8,)),
            generator_optimizer=keras.optimizers.SGD(0.5),
            discriminator_optimizer=keras.optimizers.SGD(0.5),
            dynamics=Extragradient(),
            batch_size=BATCH,
            seed=1,
        )
    step = TrainStep(experiment, strategy)
    step.run(
        strategies.distributed(strategy, lambda part: experiment.batches(part=part)), 3
    )
    return {
        f"look_ahead/{player}/{index}": variable.numpy()
        for player in PLAYERS
        for index, variable in enumerate(experiment.game.variables(player))
    }


def everything(strategy) -> dict[str, np.ndarray]:
    found = second_order(strategy, "batch_norm")
    found |= second_order(strategy, "rematerialized", rematerialized)
    found |= products(strategy)
    for schedule in SCHEDULES:
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
        found = everything(strategy)
        if is_chief(strategy):
            np.savez(output, **found)
        return
    mirrored = strategies.create("mirrored", virtual_devices=2)
    alone = tf.distribute.get_strategy()
    one, two = (
        everything(each) | dynamics(each) | look_ahead(each)
        for each in (alone, mirrored)
    )
    one, two = _under("one", one), _under("two", two | broken(mirrored))
    np.savez(output, **one, **two)


if __name__ == "__main__":
    main(*sys.argv[1:])
