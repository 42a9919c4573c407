"""The inner loop: many training steps in one call of a `tf.function`."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.game.accumulation import Accumulation
from logan_tf.game.field import Field, Metrics
from logan_tf.game.round import Round
from logan_tf.game.schedules import Update
from logan_tf.game.weights import GENERATOR
from logan_tf.layers.spectral_normalization import largest_sigma
from logan_tf.training import compilation
from logan_tf.training.experiment import Experiment

Number: TypeAlias = int | tf.Tensor
Program: TypeAlias = Callable[[Batch, Number, Number, tf.Tensor], Metrics]
"""What a replica computes: (its part of the batch, number of the update in its step,
number of the repetition, steps done) → metrics.
"""


class TrainStep:
    """Runs training steps on the device or devices of a strategy.

    What is repeated (the discriminator's updates, the micro-batches of one) is traced
    once, in a loop around `strategy.run`: replicas that meet at an `all_reduce` cannot
    do it inside of a loop of their own.

    Args:
      experiment: created in the strategy's scope.
      strategy: any `tf.distribute` strategy; each replica gets its part of every batch.
      jit_compile: whether XLA compiles the steps of `run`; "auto": where it pays.
    """

    def __init__(
        self,
        experiment: Experiment,
        strategy: tf.distribute.Strategy,
        jit_compile: bool | str = compilation.AUTO,
    ) -> None:
        self._experiment = experiment
        self._strategy = strategy
        with strategy.scope():
            self.step = tf.Variable(0, trainable=False, dtype=tf.int64, name="step")
            self.accumulation = Accumulation(experiment.game, experiment.accumulation)
        self.metric_names: list[str] = []
        compiles = compilation.pays(strategy, jit_compile)
        many_steps = self._programs_of_steps if compiles else self._many_steps
        self._run = tf.function(many_steps, reduce_retracing=True)
        self._several = tf.function(self.several_steps, jit_compile=True)

    def run(self, batches: Iterator[Batch], num_steps: int) -> dict[str, np.ndarray]:
        """Takes `num_steps` steps.

        Args:
          batches: an iterator of the strategy's distributed batches.
          num_steps: 1 or more; another number does not trace anew.

        Returns:
          Each metric's value at every step, float32 [num_steps], by name.
        """
        rows = self._run(batches, tf.constant(num_steps)).numpy()
        return dict(zip(self.metric_names, rows.T, strict=True))

    def _many_steps(self, batches: Iterator[Batch], num_steps: tf.Tensor) -> tf.Tensor:
        rows = tf.TensorArray(tf.float32, size=num_steps)
        for index in tf.range(num_steps):
            rows = rows.write(index, self.one_step(next(batches)))
        return rows.stack()

    def _programs_of_steps(
        self, batches: Iterator[Batch], num_steps: tf.Tensor
    ) -> tf.Tensor:
        """As `_many_steps`, by a compiled program that takes several at a time.

        It takes any number of steps up to a largest one, so there is one program, and a
        run's bits do not depend on where its host calls end.
        """
        spec = batches.element_spec  # type: ignore[attr-defined]  # TensorFlow's have.
        most = compilation.steps_per_program(spec)
        parts = (num_steps + most - 1) // most
        rows = tf.TensorArray(tf.float32, size=parts)
        for part in tf.range(parts):
            count = tf.minimum(most, num_steps - part * most)
            together = _gathered(batches, spec, count, most)
            rows = rows.write(part, self._several(together, count))
        return rows.concat()[:num_steps]

    def several_steps(self, batches: Batch, count: tf.Tensor) -> tf.Tensor:
        """`count` steps, with the first of the batches.

        Args:
          batches: each tensor [most, …]: so many batches.
          count: int32 [], from 1 to `most`.

        Returns:
          Metrics, float32 [most, metrics]; the last `most - count` rows are zero.
        """
        (most,) = {x.shape[0] for x in tf.nest.flatten(batches)}

        def step(
            index: tf.Tensor, rows: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray]:
            batch = tf.nest.map_structure(itemgetter(index), batches)
            return index + 1, rows.write(index, self.one_step(batch))

        # No `tf.range`, whose length XLA would have to know.
        _, rows = tf.while_loop(
            lambda index, _: index < count,
            step,
            (0, tf.TensorArray(tf.float32, size=most)),
        )
        return tf.ensure_shape(rows.stack(), (most, len(self.metric_names)))

    def one_step(self, batch: Batch) -> tf.Tensor:
        """One training step; the metrics, in the order of `metric_names`.

        They are those of the last update of each kind.
        """
        metrics: Metrics = {}
        first = 0
        for update in self._experiment.schedule.updates:
            call = partial(self._update, update.players, batch, first)
            if update.below is None:
                rows = _repeated(update.repeats, call)
                metrics |= {name: row[-1] for name, row in rows.items()}
            else:
                metrics |= _until_below(update, call)
            first += update.repeats
        self.step.assign_add(1)
        self.metric_names = sorted(metrics)
        return tf.stack([metrics[name] for name in self.metric_names])

    def _update(
        self, players: tuple[str, ...], batch: Batch, first: int, index: Number
    ) -> Metrics:
        """Update number `first + index` of a step; means over micro-batches."""
        metrics: Metrics = {}
        for times, program in self.programs(players):
            call = partial(self.on_replicas, program, batch, first + index)
            for name, values in _repeated(times, call).items():
                metrics[name] = tf.reduce_mean(values) if times > 1 else values[0]
        return metrics

    def programs(self, players: tuple[str, ...]) -> list[tuple[int, Program]]:
        """What one update of these players runs in turn, each so many times."""
        game, sums = self._experiment.game, self.accumulation
        rounds = self._experiment.dynamics.rounds

        def begin(*_: object) -> Metrics:
            game.advance_spectral_norms()
            sums.clear(players)
            return {}

        def accumulate(
            batch: Batch, number: Number, part: Number, _: object
        ) -> Metrics:
            played = game.play(Round.of(batch, number, part, sums.parts), players)
            sums.add(played)
            return played.metrics

        def finish(batch: Batch, number: Number, _: object, step: tf.Tensor) -> Metrics:
            round_, played = Round.of(batch, number), sums.mean(players)
            return self._moved(Field(game, round_, players, played), step)

        def whole(batch: Batch, number: Number, _: object, step: tf.Tensor) -> Metrics:
            game.advance_spectral_norms()
            first, *others = [
                Round.of(batch, number * rounds + k) for k in range(rounds)
            ]
            return self._moved(game.field(first, players, others), step)

        if sums.parts == 1:
            return [(1, whole)]
        return [(1, begin), (sums.parts, accumulate), (1, finish)]

    def on_replicas(
        self, program: Program, batch: Batch, number: Number = 0, part: Number = 0
    ) -> Metrics:
        """Runs a program on every replica; the means of its metrics over them."""
        names: list[str] = []

        # Its loops are Python's; autograph would rewrite every function on the way.
        @tf.autograph.experimental.do_not_convert
        def on_replica(batch: Batch, step: tf.Tensor) -> tf.Tensor:
            metrics = program(batch, number, part, step)
            return _packed(metrics, names)

        row = self._strategy.run(on_replica, args=(batch, self.step))
        # All of them in one reduction: between hosts each is a message.
        return _unpacked(self._strategy.reduce("MEAN", row, axis=None), names)

    # What is assigned below beside the optimizers' variables (spectral-norm vectors,
    # accumulated gradients, the average) has no aggregation: each replica computes the
    # same from the same weights, or its own sum, and writes its own copy. So nothing is
    # sent, and on a TPU it belongs to the programs that XLA compiles.

    def _moved(self, field: Field, step: tf.Tensor) -> Metrics:
        """The players' update; a step ends with that of the generator."""
        experiment = self._experiment
        metrics = experiment.optimization.update(field)
        if GENERATOR in field.players:
            experiment.averaging.update(
                experiment.averaged_generator, experiment.generator, step
            )
            metrics["discriminator_sigma"] = largest_sigma(experiment.discriminator)
        return metrics


def _gathered(
    batches: Iterator[Batch], spec: Batch, count: tf.Tensor, most: int
) -> Batch:
    """The next `count` batches in tensors for `most`: [most, …], zeros at the end."""
    arrays = [
        tf.TensorArray(x.dtype, most, element_shape=x.shape)
        for x in tf.nest.flatten(spec)
    ]
    for index in tf.range(count):
        given = tf.nest.flatten(next(batches))
        arrays = [a.write(index, x) for a, x in zip(arrays, given, strict=True)]
    return tf.nest.pack_sequence_as(spec, [array.stack() for array in arrays])


def _repeated(repeats: int, call: Callable[[Number], Metrics]) -> Metrics:
    """Calls with 0, 1, … in turn, traced once; each metric's values, [repeats]."""
    if repeats == 1:
        return {name: metric[None] for name, metric in call(0).items()}
    names: list[str] = []
    rows = tf.TensorArray(tf.float32, size=repeats)
    for index in tf.range(repeats):
        rows = rows.write(index, _packed(call(index), names))
    columns = tf.ensure_shape(rows.stack(), (repeats, len(names)))
    return _unpacked(tf.transpose(columns), names)


def _until_below(update: Update, call: Callable[[Number], Metrics]) -> Metrics:
    """Calls with 0, 1, … until the loss is low; the metrics of the last call."""
    names: list[str] = []
    player = update.players[0]

    def again(
        count: tf.Tensor, _: tf.Tensor, rows: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        metrics = call(count)
        going = metrics[f"{player}_loss"] >= update.below
        return count + 1, going, rows.write(count, _packed(metrics, names))

    count, _, rows = tf.while_loop(
        lambda count, going, _: going & (count < update.repeats),
        again,
        (tf.constant(0), tf.constant(True), tf.TensorArray(tf.float32, update.repeats)),
    )
    last = tf.ensure_shape(rows.gather([count - 1])[0], (len(names),))
    counted = {f"{player}_updates": tf.cast(count, tf.float32)}
    return _unpacked(last, names) | counted


def _packed(metrics: Metrics, names: list[str]) -> tf.Tensor:
    """Metrics as float32 [metrics]; their names go into a list that is given."""
    names.clear()  # Autograph would make what a loop assigns to a tensor.
    names.extend(sorted(metrics))
    row = [tf.cast(metrics[name], tf.float32) for name in names]
    return tf.stack(row) if row else tf.zeros([0])


def _unpacked(row: tf.Tensor, names: list[str]) -> Metrics:
    return dict(zip(names, tf.unstack(row, len(names)), strict=True))
