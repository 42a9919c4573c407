"""The inner loop: many training steps in one call of a `tf.function`."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.game import updates
from logan_tf.game.game import GENERATOR, Contribution, Gradient, Metrics
from logan_tf.layers.spectral_normalization import largest_sigma
from logan_tf.training import compilation
from logan_tf.training.experiment import Experiment

Number: TypeAlias = int | tf.Tensor


class Stage(NamedTuple):
    """A part of an update, and how often the update repeats it.

    Attributes:
      on_replica: (batch, number of the update in its step, number of the repetition,
        steps done) → metrics.
      repeats: each has another number.
    """

    on_replica: Callable[[Batch, Number, Number, tf.Tensor], Metrics]
    repeats: int = 1


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
            self._accumulators = _accumulators(experiment)
        for optimizer in experiment.optimizers.values():
            _leave_gradients_as_they_are(optimizer)
        self.metric_names: list[str] = []
        self._step = compilation.compiled(self.one_step, strategy, jit_compile)
        self._run = tf.function(self._many_steps, reduce_retracing=True)

    @property
    def accumulators(self) -> list[tf.Variable]:
        """The sums of micro-batches' gradients; none without accumulation."""
        return self._flat_accumulators(tuple(self._accumulators))

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
            rows = rows.write(index, self._step(next(batches)))
        return rows.stack()

    def one_step(self, batch: Batch) -> tf.Tensor:
        """One training step; the metrics, in the order of `metric_names`.

        They are those of the last update of each kind.
        """
        metrics: Metrics = {}
        first = 0
        for players, repeats in self._experiment.schedule.updates:
            stages = self.stages(players)
            names, rows = _repeated(
                repeats, partial(self._update, stages, batch, first)
            )
            metrics |= dict(zip(names, tf.unstack(rows[-1]), strict=True))
            first += repeats
        self.step.assign_add(1)
        self.metric_names = sorted(metrics)
        return tf.stack([metrics[name] for name in self.metric_names])

    def stages(self, players: tuple[str, ...]) -> list[Stage]:
        """What one update of these players consists of, one after the other."""
        if self._experiment.accumulation == 1:
            return [Stage(partial(self._whole_update, players))]
        return [
            Stage(partial(self._begin, players)),
            Stage(partial(self._accumulate, players), self._experiment.accumulation),
            Stage(partial(self._finish, players)),
        ]

    def run_stage(
        self, stage: Stage, batch: Batch, number: Number = 0, part: Number = 0
    ) -> tuple[list[str], tf.Tensor]:
        """One repetition of a stage: its metrics' names, and float32 [metrics]."""
        names: list[str] = []

        # Its loops are Python's; autograph would rewrite every function on the way.
        @tf.autograph.experimental.do_not_convert
        def on_replica(batch: Batch, step: tf.Tensor) -> tf.Tensor:
            metrics = stage.on_replica(batch, number, part, step)
            _replace(names, sorted(metrics))
            row = [tf.cast(metrics[name], tf.float32) for name in names]
            return tf.stack(row) if row else tf.zeros([0])

        row = self._strategy.run(on_replica, args=(batch, self.step))
        # All of them in one reduction: between hosts each is a message.
        return names, self._strategy.reduce("MEAN", row, axis=None)

    def _update(
        self, stages: list[Stage], batch: Batch, first: int, index: Number
    ) -> tuple[list[str], tf.Tensor]:
        """Update number `first + index` of a step; a mean where a stage repeats."""
        names: list[str] = []
        row: list[tf.Tensor] = []
        for stage in stages:
            of_stage, rows = _repeated(
                stage.repeats, partial(self.run_stage, stage, batch, first + index)
            )
            names = names + of_stage
            row.append(tf.reduce_mean(rows, 0) if stage.repeats > 1 else rows[0])
        return names, tf.concat(row, 0)

    # What is assigned below beside the optimizers' variables (spectral-norm vectors,
    # accumulators, the average) has no aggregation: each replica computes the same from
    # the same weights, or its own sum, and writes its own copy. So nothing is sent, and
    # on a TPU it belongs to the programs that XLA compiles.

    def _whole_update(
        self,
        players: tuple[str, ...],
        batch: Batch,
        number: Number,
        _part: Number,
        step: tf.Tensor,
    ) -> Metrics:
        round_ = updates.round_of(batch, number)
        metrics = updates.update(self._experiment.game, round_, players, self._apply)
        return self._ended(players, metrics, step)

    def _begin(self, players: tuple[str, ...], *_: object) -> Metrics:
        self._experiment.game.advance_spectral_norms()
        for total in self._flat_accumulators(players):
            total.assign(tf.zeros_like(total))
        return {}

    def _accumulate(
        self,
        players: tuple[str, ...],
        batch: Batch,
        number: Number,
        part: Number,
        _step: tf.Tensor,
    ) -> Metrics:
        parts = self._experiment.accumulation
        round_ = updates.round_of(batch, number, part, parts)
        gradients, metrics = self._experiment.game.contribute(round_, players)
        added = tf.nest.flatten([gradients[player] for player in players])
        for total, more in zip(self._flat_accumulators(players), added, strict=True):
            total.assign_add(more)
        return metrics

    def _finish(
        self,
        players: tuple[str, ...],
        _batch: Batch,
        _number: Number,
        _part: Number,
        step: tf.Tensor,
    ) -> Metrics:
        parts = self._experiment.accumulation
        means = tf.nest.map_structure(
            lambda total: total / parts,
            {player: self._accumulators[player] for player in players},
        )
        outcome = self._experiment.game.settle(Contribution(means, {}))
        return self._ended(players, updates.applied(outcome, self._apply), step)

    def _flat_accumulators(self, players: tuple[str, ...]) -> list[tf.Variable]:
        return tf.nest.flatten([self._accumulators[player] for player in players])

    def _ended(
        self, players: tuple[str, ...], metrics: Metrics, step: tf.Tensor
    ) -> Metrics:
        """What ends a step, whose last update is the generator's."""
        if GENERATOR not in players:
            return metrics
        experiment = self._experiment
        experiment.averaging.update(
            experiment.averaged_generator, experiment.generator, step
        )
        sigma = largest_sigma(experiment.discriminator)
        return metrics | {"discriminator_sigma": sigma}

    def _apply(self, player: str, gradients: list[tf.Tensor]) -> tf.Tensor:
        """Applies a player's gradients, which the game has summed over replicas."""
        variables = self._experiment.game.variables(player)
        before = [tf.identity(variable.value) for variable in variables]
        self._experiment.optimizers[player].apply(gradients, variables)
        return tf.linalg.global_norm(
            [
                variable.value - old
                for variable, old in zip(variables, before, strict=True)
            ]
        )


def _repeated(
    repeats: int, call: Callable[[Number], tuple[list[str], tf.Tensor]]
) -> tuple[list[str], tf.Tensor]:
    """Calls with 0, 1, … in turn, traced once; the names, and a row of each call."""
    names: list[str] = []
    if repeats == 1:
        names, row = call(0)
        return names, row[None]
    rows = tf.TensorArray(tf.float32, size=repeats)
    for index in tf.range(repeats):
        found, row = call(index)
        _replace(names, found)
        rows = rows.write(index, row)
    return names, tf.ensure_shape(rows.stack(), (repeats, len(names)))


def _replace(names: list[str], found: list[str]) -> None:
    """Autograph would make what a loop assigns to a tensor."""
    names.clear()
    names.extend(found)


def _accumulators(experiment: Experiment) -> dict[str, Gradient]:
    """A sum for each gradient, zero between updates: no part of a checkpoint."""
    if experiment.accumulation == 1:
        return {}
    game = experiment.game

    def sums(player: str, part: str) -> list[tf.Variable]:
        return [
            tf.Variable(
                tf.zeros(variable.shape, variable.dtype),
                trainable=False,
                name=f"{player}_{part}_{index}",
            )
            for index, variable in enumerate(game.variables(player))
        ]

    return {
        player: Gradient(
            sums(player, "whole"),
            sums(player, "second_order") if game.moves(player) else [],
        )
        for player in experiment.optimizers
    }


def _leave_gradients_as_they_are(optimizer: keras.optimizers.Optimizer) -> None:
    """Has an optimizer not sum gradients over replicas a second time.

    Keras would, after it has clipped each replica's own: clipped like this, the steps
    would depend on the number of replicas.
    """
    if not hasattr(optimizer, "_all_reduce_sum_gradients"):
        raise TypeError(
            f"{type(optimizer).__name__} sums gradients in a way of its own"
        )
    optimizer._all_reduce_sum_gradients = list
