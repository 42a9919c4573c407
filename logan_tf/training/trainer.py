"""The outer loop: host calls of many steps each, and what is due between them."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import NoReturn

import numpy as np
import tensorflow as tf

from logan_tf.data.batch import Batch, require_intact
from logan_tf.errors import (
    BadDataError,
    CollapsedError,
    DivergedError,
    PreemptedError,
    require_at_least,
)
from logan_tf.game.latent import Reach
from logan_tf.runs import flatness
from logan_tf.runs.collapse import Watch
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.checkpoints import Checkpoints
from logan_tf.training.experiment import Experiment
from logan_tf.training.flight_recorder import FlightRecorder, not_finite
from logan_tf.training.hooks import DrawSamples, Evaluate, Hooks, MeasureSpectrum
from logan_tf.training.monitor import Monitor, SilentMonitor
from logan_tf.training.step import TrainStep
from logan_tf.training.strategy import (
    agree,
    distributed,
    io_device,
    is_chief,
    require_same_step,
)

MOST_ROLLBACKS = 3
_SECONDS_PER_CALL = 1.0
_LEAST_SECONDS = 1e-6  # where the clock stands still


class Trainer:
    """Trains an experiment in a run directory, from its last checkpoint on.

    Args:
      experiment: created in the strategy's scope.
      strategy: any `tf.distribute` strategy.
      directory: where the run lives.
      total_steps: updates of the generator, 1 or more.
      log_every: steps between two lines of metrics.
      checkpoint_every: steps between two checkpoints; the last step has one anyway.
      sample_every, evaluate_every, sample, evaluate: as `Hooks`; both work on the
        averaged generator. Each step that is evaluated is a checkpoint too.
      spectrum_every, spectrum: as `Hooks`; of the players as they are.
      collapse_factor, collapse_floor: as `Watch`.
      jit_compile: whether XLA compiles the steps; "auto": where it pays.

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
        sample: DrawSamples | None = None,
        evaluate: Evaluate | None = None,
        spectrum_every: int = 0,
        spectrum: MeasureSpectrum | None = None,
        collapse_factor: float = 3.0,
        collapse_floor: float = 100.0,
        jit_compile: bool | str = "auto",
    ) -> None:
        periods = {"log_every": log_every, "checkpoint_every": checkpoint_every}
        require_at_least(1, total_steps=total_steps, **periods)
        self.hooks = Hooks(
            total_steps,
            sample_every,
            evaluate_every,
            sample,
            evaluate,
            spectrum_every,
            spectrum,
        )
        self._watch = Watch(collapse_factor, collapse_floor)
        experiment.require_replicas(strategy.num_replicas_in_sync)
        self._is_chief = is_chief(strategy)
        self._experiment = experiment
        optimizer = experiment.latent_optimizer
        self._reach = Reach.of(optimizer.step) if optimizer else None
        self._strategy = strategy
        self._directory = directory
        self.total_steps = total_steps
        self._log_every = log_every
        self._train_step = TrainStep(experiment, strategy, jit_compile)
        with strategy.scope():
            self._attempt = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.checkpoints = Checkpoints(
            directory.checkpoints,
            experiment,
            self._train_step.step,
            self._attempt,
            io_device=io_device(strategy),
        )
        self._recorder = FlightRecorder(experiment.seed)
        self._checkpoint_every = checkpoint_every
        self._batches: Iterator[Batch] | None = None

    @property
    def step(self) -> int:
        """The number of steps done."""
        return int(self._train_step.step.numpy())

    @property
    def attempt(self) -> int:
        """The number of rollbacks before them; part of the seed of every batch."""
        return int(self._attempt.numpy())

    def restore(self) -> None:
        """Takes up the newest checkpoint that is whole, where there ever was one.

        Raises:
          ConfigurationError: if it belongs to other networks or optimizers, or to an
            earlier version.
          BadDataError: if none is whole, or all are gone.
        """
        self.checkpoints.files.require_layout()
        if self.checkpoints.steps():
            self.checkpoints.restore(repair=self._is_chief)
        elif self._directory.progressed():
            raise BadDataError(
                f"{self._directory.path} holds a run whose checkpoints are gone: bring "
                "them back, or start anew with --restart or another --run_dir"
            )

    def open_data(self) -> None:
        """Opens the data at the current step; `train` does it where nobody has.

        Raises:
          ConfigurationError: if there are fewer examples than a step takes, or other
            workers are at another step.
          BadDataError: if the data is neither there nor can be prepared.
        """
        require_same_step(self._strategy, self.step)
        if self.step < self.total_steps:
            batches = partial(self._experiment.batches, self.step, self.attempt)
            self._batches = distributed(self._strategy, batches)

    def train(
        self,
        text: str = "",
        progress: bool = True,
        knobs: Mapping[str, object] = MappingProxyType({}),
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Trains until `total_steps` are done.

        After a NaN or an infinity it goes back to the newest checkpoint and on from
        there with other randomness, `MOST_ROLLBACKS` times in a run's life.

        Args:
          text: of the configuration, for TensorBoard.
          progress: whether to show a bar.
          knobs: the recipe's macros, for TensorBoard.
          stop: asked after every host call, which takes about a second.

        Raises:
          DivergedError: at one NaN or infinity too many; nothing of that is saved.
          CollapsedError: if a hook or an evaluation says so; the collapsed state is
            saved, and resumed from it says so again.
          PreemptedError: if `stop` said so; all steps that were done are saved.
          BadDataError: if a checkpoint cannot be written.
        """
        if self._batches is None:
            self.open_data()
        note = f"resumed at step {self.step}" if self.step else ""
        while True:
            with self._open_monitor(progress) as monitor:
                monitor.begin(self.step, text, knobs)
                if self._reach is not None and not self.step and not self.attempt:
                    monitor.say(f"latent step: {self._reach}")
                if note:
                    monitor.say(note)
                try:
                    if self._is_chief and not self.checkpoints.steps():
                        # What a rollback of the first steps goes back to.
                        self.checkpoints.save(hooks_pending=True)
                    if self.checkpoints.hooks_pending:
                        self._call_hooks(monitor)
                    self._loop(monitor, stop)
                    # Nobody leaves while the chief writes what all have trained.
                    agree(self._strategy, 0, stop=True)
                    return
                except CollapsedError as error:
                    # Other randomness does not bring back what a network forgot.
                    self._stop_collapsed(error)
                except DivergedError as error:
                    note = self._roll_back(error, monitor)

    def _open_monitor(self, progress: bool) -> Monitor:
        if not self._is_chief:
            return SilentMonitor()
        if self.step % self._log_every and self.step < self.total_steps:
            # A line that was due only as the last one of a shorter run.
            self._directory.truncate_metrics(self.step - 1)
        return Monitor(
            self._directory,
            self.step,
            self.total_steps,
            progress,
            pictures_follow=self.checkpoints.hooks_pending,
            remedy=flatness.remedy(self._reach.pull if self._reach else None),
        )

    def _loop(self, monitor: Monitor, stop: Callable[[], bool]) -> None:
        # The first call traces; its time says nothing about a step's.
        num_steps, traced = 1, False
        if self.step < self.total_steps and not self._train_step.metric_names:
            monitor.say(
                "tracing the step: seconds for small networks, minutes for large"
            )
        while self.step < self.total_steps:
            assert self._batches is not None  # opened while there were steps to do
            until_due = self.hooks.steps_until_due(self.step, self._checkpoint_every)
            num_steps = min(num_steps, until_due)
            started = time.perf_counter()
            try:
                rows = self._train_step.run(self._batches, num_steps)
            except tf.errors.OpError as error:
                require_intact(self._experiment.dataset, error)
                raise
            seconds = max(time.perf_counter() - started, _LEAST_SECONDS)
            self._log(rows, num_steps, seconds, monitor)
            if traced:
                num_steps = max(1, round(_SECONDS_PER_CALL * num_steps / seconds))
            traced = True
            num_steps, stopping = agree(self._strategy, num_steps, stop())
            self._after_call(monitor, stopping)

    def _log(
        self,
        rows: dict[str, np.ndarray],
        num_steps: int,
        seconds: float,
        monitor: Monitor,
    ) -> None:
        first = self.step - num_steps + 1
        self._recorder.record(first, self.attempt, rows)
        if (found := not_finite(rows)) is not None:
            step, reason = first + found[0], found[1]
            raise DivergedError(f"step {step}: {reason} ({self._record(step, reason)})")
        best = self.checkpoints.best
        also = {
            "attempt": self.attempt,
            **(best.scalars() if best else {}),
            "images_per_second": num_steps * self._experiment.batch_size / seconds,
        }
        for index, step in enumerate(range(first, self.step + 1)):
            if step % self._log_every == 0 or step == self.total_steps:
                values = {name: float(row[index]) for name, row in rows.items()}
                monitor.scalars(step, values | also)
        monitor.advance(num_steps, {name: float(row[-1]) for name, row in rows.items()})

    def _record(self, step: int, reason: str) -> str:
        """Writes the flight recorder's bundle; returns what can be done with it."""
        path = self._directory.failure_path(step, self.attempt)
        if self._is_chief:
            self._recorder.write(self._directory, step, self.attempt, reason)
        return f"bin/train --run_dir={path} repeats it"

    def _roll_back(self, error: DivergedError, monitor: Monitor) -> str:
        """Goes back to the newest checkpoint; returns what there is to say of it."""
        attempt = self.attempt + 1
        if attempt > MOST_ROLLBACKS:
            raise DivergedError(
                f"{error}; that was rollback {MOST_ROLLBACKS} of {MOST_ROLLBACKS}, the "
                f"checkpoint of step {self.checkpoints.steps()[-1]} is intact: lower "
                "generator_rate and discriminator_rate, or the latent step's size"
            ) from error
        self.checkpoints.restore(warn=monitor.say, repair=self._is_chief)
        self._attempt.assign(attempt)
        self.open_data()
        return (
            f"{error}; going back to step {self.step}: rollback {attempt} of "
            f"{MOST_ROLLBACKS}"
        )

    def _after_call(self, monitor: Monitor, stopping: bool) -> None:
        last = self.step == self.total_steps
        due = self.hooks.are_due(self.step)
        saving = last or stopping or self.step % self._checkpoint_every == 0
        if saving or self.hooks.evaluation_is_due(self.step):
            monitor.flush()
            if self._is_chief:
                # Every variable is written by all workers alike (none is aggregated
                # when read): the chief's copy is the whole.
                self.checkpoints.save(hooks_pending=due)
        if stopping and (due or not last):
            agree(self._strategy, 0, stop=True)  # The chief has saved.
            raise PreemptedError(
                f"interrupted; all {self.step} steps are saved, and the same command "
                "goes on from there"
            )
        if due:
            self._call_hooks(monitor)

    def _call_hooks(self, monitor: Monitor) -> None:
        if not self._is_chief:
            return
        if (quality := self.hooks.call(self.step, monitor)) is not None:
            best = self.checkpoints.best
            self.checkpoints.best = self._watch.judge(self.step, quality, best)
        monitor.flush()
        self.checkpoints.hooks_done(checked=self.hooks.are_due(self.step))

    def _stop_collapsed(self, error: CollapsedError) -> NoReturn:
        """Saves the state, that a resume may say so again, and names what is left."""
        if self.step not in self.checkpoints.steps():
            self.checkpoints.save(hooks_pending=True)
        kept = self.checkpoints.files.named(self.step)
        steps = [f"{step} ({what})" for step, what in kept.items() if step != self.step]
        left = f"; kept: step {', '.join(steps)}" if steps else ""
        bundle = self._record(self.step, str(error))
        raise CollapsedError(f"{error}{left} ({bundle})") from error
