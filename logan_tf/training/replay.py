"""Repeats the step that a bundle of the flight recorder is about."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from logan_tf.errors import BadDataError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.checkpoints import Checkpoints
from logan_tf.training.experiment import Experiment
from logan_tf.training.flight_recorder import NOT_METRICS, read_bundle, writable
from logan_tf.training.step import TrainStep


class Replay(NamedTuple):
    """A step that was taken once more.

    Attributes:
      step: its number.
      reason: why the bundle was written.
      recorded: metrics as the run had them; not finite ones are words.
      repeated: those of the repetition.
      not_finite: the weights that are not finite after it, or were not before, each
        with the share of their entries.
    """

    step: int
    reason: str
    recorded: dict[str, float | str]
    repeated: dict[str, float | str]
    not_finite: dict[str, float]

    def differences(self) -> list[str]:
        """The metrics that are not the same, bit for bit."""
        return [
            name
            for name, value in self.recorded.items()
            if self.repeated.get(name) != value
        ]


def replay(
    experiment: Experiment,
    bundle: RunDirectory,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Takes the steps from the bundle's checkpoint to the failing one, on one device.

    Args:
      experiment: built from the bundle's configuration.
      bundle: as `FlightRecorder` wrote it.
      progress: is told how many of how many steps are done.

    Returns:
      A `Replay`.

    Raises:
      BadDataError: if the bundle is damaged or has no checkpoint.
    """
    failure, steps = read_bundle(bundle)
    if failure["checkpoint"] is None or not steps:
        raise BadDataError(
            f"{bundle.path} has nothing to repeat the step from: it was written "
            "before the first checkpoint"
        )
    train_step = TrainStep(experiment, tf.distribute.get_strategy())
    attempt = tf.Variable(0, dtype=tf.int64)
    checkpoints = Checkpoints(bundle.checkpoints, experiment, train_step.step, attempt)
    first = checkpoints.restore(str(failure["checkpoint"]))
    batches = iter(experiment.batches(first, failure["attempt"]))
    rows: dict[str, np.ndarray] = {}
    for step in range(first, failure["step"]):
        rows = train_step.run(batches, 1)
        progress(step + 1 - first, failure["step"] - first)
    return Replay(
        step=failure["step"],
        reason=failure["reason"],
        recorded=_metrics(steps[-1]),
        repeated={name: writable(float(row[0])) for name, row in rows.items()},
        not_finite=_not_finite(experiment),
    )


def _metrics(row: dict[str, Any]) -> dict[str, float | str]:
    return {name: value for name, value in row.items() if name not in NOT_METRICS}


def _not_finite(experiment: Experiment) -> dict[str, float]:
    layers = (
        experiment.generator,
        experiment.averaged_generator,
        experiment.discriminator,
    )
    paths = {id(v.value): v.path for network in layers for v in network.variables}
    found = {}
    for part, variables in experiment.state().items():
        for variable in variables:
            values = tf.cast(variable, tf.float32)
            share = 1 - float(np.mean(np.isfinite(values)))
            if share:
                found[f"{part}/{paths.get(id(variable), variable.name)}"] = share
    return found
