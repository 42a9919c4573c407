"""The last steps before a failure, and all that is needed to repeat it.

A bundle, `failures/step-00000123-attempt-0/`, is a small run directory: the run's
configuration, the checkpoint that the failing attempt went on from, `steps.jsonl` (the
metrics of the last steps, with what their randomness was drawn from) and
`failure.json`.
"""

import collections
import json
import math
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from logan_tf import atomic_file
from logan_tf.errors import BadDataError
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory

NOT_METRICS = ("step", "seed", "attempt")
"""What a line of `steps.jsonl` holds besides metrics."""

_STEPS = "steps.jsonl"


class FlightRecorder:
    """Remembers the metrics of the last steps.

    Args:
      seed: of the run.
      capacity: the number of steps.
    """

    def __init__(self, seed: int, capacity: int = 200) -> None:
        self._seed = seed
        self._steps: collections.deque[dict[str, Any]] = collections.deque(
            maxlen=capacity
        )

    def record(self, first: int, attempt: int, rows: dict[str, np.ndarray]) -> None:
        """Adds steps.

        Args:
          first: the number of the first of them.
          attempt: the number of rollbacks before them.
          rows: each metric's value at every step, [steps], by name.
        """
        for index in range(len(next(iter(rows.values())))):
            self._steps.append(
                {"step": first + index, "seed": self._seed, "attempt": attempt}
                | {name: writable(float(row[index])) for name, row in rows.items()}
            )

    def write(
        self, directory: RunDirectory, *, step: int, attempt: int, reason: str
    ) -> RunDirectory:
        """Writes a bundle; one that is there stays, for it knows the steps before.

        Args:
          directory: of the run; its newest checkpoint goes into the bundle.
          step: that failed.
          attempt: it belongs to.
          reason: in words.

        Returns:
          Where it lies.
        """
        bundle = RunDirectory(directory.failure_path(step, attempt))
        if bundle.failure.is_file():
            return bundle
        files = CheckpointFiles(directory.checkpoints)
        base = max((saved for saved in files.steps() if saved < step), default=None)
        if base is not None:
            files.copy(base, bundle.checkpoints)
        if directory.exists():
            config = directory.config.read_text(encoding="utf-8")
            atomic_file.write_text(bundle.config, config)
        until = [row for row in self._steps if row["step"] <= step]
        lines = [json.dumps(row) + "\n" for row in until]
        atomic_file.write_text(bundle.path / _STEPS, "".join(lines))
        failure = {
            "step": step,
            "seed": self._seed,
            "attempt": attempt,
            "reason": reason,
            "checkpoint": base,
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
        }
        text = json.dumps(failure, indent=1) + "\n"
        atomic_file.write_text(bundle.failure, text)
        return bundle


def not_finite(rows: dict[str, np.ndarray]) -> tuple[int, str] | None:
    """The first of the steps that has NaN or infinity, and what of it has, or None.

    Args:
      rows: each metric's value at every step, [steps], by name.
    """
    finite = np.all([np.isfinite(row) for row in rows.values()], axis=0)
    if finite.all():
        return None
    index = int(np.argmin(finite))
    names = [name for name, row in rows.items() if not np.isfinite(row[index])]
    verb = "is" if len(names) == 1 else "are"
    return index, f"{', '.join(names)} {verb} not finite"


def read_bundle(bundle: RunDirectory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The failure and the last steps of a bundle.

    Raises:
      BadDataError: if it is none, or damaged.
    """
    try:
        failure = json.loads(bundle.failure.read_text(encoding="utf-8"))
        lines = (bundle.path / _STEPS).read_text(encoding="utf-8").splitlines()
        wanted = {"step", "attempt", "reason", "checkpoint"}
        if not wanted <= set(failure):
            raise ValueError(f"failure.json lacks one of {sorted(wanted)}")
        return failure, [json.loads(line) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise BadDataError(
            f"{bundle.path} is no bundle of the flight recorder ({error}): give one "
            "of the folders in a run's failures/"
        ) from error


def writable(value: float) -> float | str:
    """JSON knows no NaN and no infinity: they are written as the words."""
    return value if math.isfinite(value) else str(value)
