"""The inner loop: many training steps in one call of a `tf.function`."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.layers.spectral_normalization import largest_sigma
from logan_tf.training import compilation
from logan_tf.training.experiment import Experiment


class TrainStep:
    """Runs training steps on the device or devices of a strategy.

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
        for optimizer in experiment.optimizers.values():
            _leave_gradients_as_they_are(optimizer)
        self.metric_names: list[str] = []
        self._step = compilation.compiled(self.one_step, strategy, jit_compile)
        self._run = tf.function(self._many_steps, reduce_retracing=True)

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
        """One training step; the metrics, in the order of `metric_names`."""
        of_replicas = self._strategy.run(self._replica_step, args=(batch, self.step))
        # All of them in one reduction: between hosts each is a message.
        row = self._strategy.reduce("MEAN", of_replicas, axis=None)
        self.step.assign_add(1)
        return row

    def _replica_step(self, batch: Batch, step: tf.Tensor) -> tf.Tensor:
        """All of a step but the counting, on one replica.

        What is assigned here beside the optimizers' variables (spectral-norm vectors,
        the average) has no aggregation: each replica computes the same from the same
        weights and writes its own copy. So nothing is sent, and on a TPU it all belongs
        to the one program that XLA compiles.
        """
        experiment = self._experiment
        metrics = experiment.schedule(experiment.game, batch, self._apply)
        metrics["discriminator_sigma"] = largest_sigma(experiment.discriminator)
        experiment.averaging.update(
            experiment.averaged_generator, experiment.generator, step
        )
        self.metric_names = sorted(metrics)
        return tf.stack(
            [tf.cast(metrics[name], tf.float32) for name in sorted(metrics)]
        )

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
