"""The outer loop: host calls of many steps each, and what is due between them."""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from logan_tf.data.batch import Batch, Part, require_intact
from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.training.checkpoints import Checkpoints
from logan_tf.training.experiment import Experiment
from logan_tf.training.monitor import Monitor, SilentMonitor
from logan_tf.training.run_directory import RunDirectory
from logan_tf.training.step import TrainStep
from logan_tf.training.strategy import (
    agree,
    is_chief,
    require_divisible,
    require_same_step,
)

Hook = Callable[[int, Monitor], None]
"""Called with the number of steps done: draws samples, evaluates."""

_SECONDS_PER_CALL = 1.0


class Trainer:
    """Trains an experiment in a run directory, from its last checkpoint on.

    Args:
      experiment: created in the strategy's scope.
      strategy: any `tf.distribute` strategy.
      directory: where the run lives.
      total_steps: updates of the generator, 1 or more.
      log_every: steps between two lines of metrics.
      checkpoint_every: steps between two checkpoints; the last step has one anyway.
      sample_every: steps between two calls of `sample`; 0: never.
      evaluate_every: steps between two calls of `evaluate`; 0: never.
      sample: draws the averaged generator's samples.
      evaluate: evaluates the averaged generator; None needs `evaluate_every` 0.

    Raises:
      ConfigurationError: for numbers out of these ranges.
    """

    def __init__(
        self,
        experiment: Experiment,
        strategy: tf.distribute.Strategy,
        directory: RunDirectory,
        *,
        total_steps: int,
        log_every: int = 10,
        checkpoint_every: int = 1000,
        sample_every: int = 0,
        evaluate_every: int = 0,
        sample: Hook | None = None,
        evaluate: Hook | None = None,
    ) -> None:
        for name, value, least in (
            ("total_steps", total_steps, 1),
            ("log_every", log_every, 1),
            ("checkpoint_every", checkpoint_every, 1),
            ("sample_every", sample_every, 0),
            ("evaluate_every", evaluate_every, 0),
        ):
            if value < least:
                raise ConfigurationError(f"{name} must be {least} or more, not {value}")
        if evaluate_every and evaluate is None:
            raise ConfigurationError(
                f"evaluate_every is {evaluate_every}, but the recipe brings no "
                "protocol to evaluate by: set it to 0"
            )
        require_divisible(experiment.batch_size, strategy.num_replicas_in_sync)
        self._is_chief = is_chief(strategy)
        self._experiment = experiment
        self._strategy = strategy
        self._directory = directory
        self._total_steps = total_steps
        self._log_every = log_every
        self._train_step = TrainStep(experiment, strategy)
        self.checkpoints = Checkpoints(
            directory.checkpoints, experiment, self._train_step.step
        )
        self._hooks = [
            (every, hook)
            for every, hook in ((sample_every, sample), (evaluate_every, evaluate))
            if every and hook
        ]
        self._checkpoint_every = checkpoint_every
        self._batches: Iterator[Batch] | None = None

    @property
    def step(self) -> int:
        """The number of steps done."""
        return int(self._train_step.step.numpy())

    def restore(self) -> None:
        """Takes up the newest checkpoint, where there is one.

        Raises:
          ConfigurationError: if it belongs to other networks or optimizers.
          BadDataError: if it cannot be read.
        """
        if self.checkpoints.steps():
            self.checkpoints.restore()

    def open_data(self) -> None:
        """Opens the data at the current step; `train` does it where nobody has.

        Raises:
          ConfigurationError: if there are fewer examples than a step takes, or other
            workers are at another step.
          BadDataError: if the data is neither there nor can be prepared.
        """
        require_same_step(self._strategy, self.step)
        if self.step < self._total_steps:
            distributed = self._strategy.distribute_datasets_from_function(
                self._open_part
            )
            self._batches = iter(distributed)

    def _open_part(self, context: tf.distribute.InputContext) -> tf.data.Dataset:
        """This host's part of the batches, an element for each of its replicas."""
        hosts = context.num_input_pipelines
        part = Part(
            host=context.input_pipeline_id,
            num_hosts=hosts,
            num_replicas=context.num_replicas_in_sync // hosts,
        )
        return self._experiment.batches(first_step=self.step, part=part)

    def train(self, text: str = "", progress: bool = True) -> None:
        """Trains until `total_steps` are done.

        Args:
          text: of the configuration, for TensorBoard.
          progress: whether to show a bar.

        Raises:
          DivergedError: at the first NaN or infinity; nothing of that call is saved.
          BadDataError: if a checkpoint cannot be written.
        """
        if self._batches is None:
            self.open_data()
        with self._open_monitor(progress) as monitor:
            monitor.text(self.step, "configuration", text)
            if self.step:
                monitor.say(f"resumed at step {self.step}")
            else:
                self._call_hooks(monitor)
            if self._batches is not None:
                self._loop(self._batches, monitor)
            # No worker leaves while the chief still writes what the others trained.
            agree(self._strategy, 0, stop=True)

    def _open_monitor(self, progress: bool) -> Monitor:
        if not self._is_chief:
            return SilentMonitor()
        if self.step % self._log_every and self.step < self._total_steps:
            # A line that was due only as the last one of a shorter run.
            self._directory.truncate_metrics(self.step - 1)
        return Monitor(self._directory, self.step, self._total_steps, progress)

    def _loop(self, batches: Iterator[Batch], monitor: Monitor) -> None:
        num_steps = 1  # The first call traces; its time says nothing about a step's.
        traced = False
        while self.step < self._total_steps:
            num_steps = min(num_steps, self._steps_until_due())
            num_steps, _ = agree(self._strategy, num_steps, stop=False)
            started = time.perf_counter()
            rows = self._take_steps(batches, num_steps)
            seconds = time.perf_counter() - started
            self._log(rows, num_steps, seconds, monitor)
            self._after_call(monitor)
            if traced:
                num_steps = max(1, round(_SECONDS_PER_CALL * num_steps / seconds))
            traced = True

    def _take_steps(
        self, batches: Iterator[Batch], num_steps: int
    ) -> dict[str, np.ndarray]:
        try:
            return self._train_step.run(batches, num_steps)
        except tf.errors.OpError as error:
            require_intact(self._experiment.dataset, error)
            raise

    def _steps_until_due(self) -> int:
        """Steps until the next checkpoint, hook or the end."""
        periods = [self._checkpoint_every, *(every for every, _ in self._hooks)]
        until = [every - self.step % every for every in periods]
        return min(*until, self._total_steps - self.step)

    def _log(
        self,
        rows: dict[str, np.ndarray],
        num_steps: int,
        seconds: float,
        monitor: Monitor,
    ) -> None:
        first = self.step - num_steps + 1
        self._check_finite(rows, first)
        speed = num_steps * self._experiment.batch_size / seconds
        for index, step in enumerate(range(first, self.step + 1)):
            if step % self._log_every == 0 or step == self._total_steps:
                values = {name: float(row[index]) for name, row in rows.items()}
                monitor.scalars(step, values | {"images_per_second": speed})
        monitor.advance(num_steps, {name: float(row[-1]) for name, row in rows.items()})

    def _check_finite(self, rows: dict[str, np.ndarray], first: int) -> None:
        finite = np.all([np.isfinite(row) for row in rows.values()], axis=0)
        if finite.all():
            return
        index = int(np.argmin(finite))
        names = [name for name, row in rows.items() if not math.isfinite(row[index])]
        saved = self.checkpoints.steps()
        remedy = (
            f"the checkpoint of step {saved[-1]} is intact"
            if saved
            else "none was saved"
        )
        raise DivergedError(
            f"step {first + index}: {', '.join(names)} is not finite; {remedy}: lower "
            "the "
            "learning rates or the latent step"
        )

    def _after_call(self, monitor: Monitor) -> None:
        self._call_hooks(monitor)
        if self.step % self._checkpoint_every == 0 or self.step == self._total_steps:
            monitor.flush()
            # Every variable is written by all workers alike (none is aggregated when
            # read), so the chief's copy is the whole and saving needs no other worker.
            if self._is_chief:
                self.checkpoints.save()

    def _call_hooks(self, monitor: Monitor) -> None:
        if not self._is_chief:
            return
        for every, hook in self._hooks:
            if self.step % every == 0 or self.step == self._total_steps:
                hook(self.step, monitor)
