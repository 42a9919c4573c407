"""The last steps before a failure, and all that is needed to repeat it.

A bundle, `failures/step-00000123-attempt-0/`, is a small run directory: the run's
configuration, the checkpoint that the failing attempt went on from, `steps.jsonl` (the
metrics of the last steps) and `failure.json`. Training goes on in it as in any other,
and so repeats the failure.
"""

import collections
import json
import shutil
from typing import Any

import numpy as np

from logan_tf import atomic_file, small_files, versions
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory


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
            metrics = {name: float(row[index]) for name, row in rows.items()}
            self._steps.append({"step": first + index, "attempt": attempt, **metrics})

    def write(
        self, directory: RunDirectory, step: int, attempt: int, reason: str
    ) -> None:
        """Writes a bundle; one that is there stays, for it knows the steps before.

        Args:
          directory: of the run; its newest checkpoint goes into the bundle.
          step: that failed.
          attempt: it belongs to.
          reason: in words.
        """
        bundle = RunDirectory(directory.failure_path(step, attempt))
        if bundle.failure.is_file():
            return
        files = CheckpointFiles(directory.checkpoints)
        base = max((saved for saved in files.steps() if saved < step), default=None)
        if base is not None:
            copy = CheckpointFiles(bundle.checkpoints).folder(base)
            shutil.copytree(files.folder(base), copy, dirs_exist_ok=True)
        if directory.exists():
            config = small_files.read_text(directory.config)
            atomic_file.write_text(bundle.config, config)
        lines = [_line(row) + "\n" for row in self._steps if row["step"] <= step]
        atomic_file.write_text(bundle.path / "steps.jsonl", "".join(lines))
        failure = {
            "step": step,
            "seed": self._seed,
            "attempt": attempt,
            "reason": reason,
            "checkpoint": base,
            "versions": versions.installed("tensorflow", "keras"),
        }
        text = json.dumps(failure, indent=1) + "\n"
        atomic_file.write_text(bundle.failure, text)


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


def _line(row: dict[str, Any]) -> str:
    """JSON knows no NaN and no infinity: they are written as the words."""
    return json.dumps({n: v if np.isfinite(v) else str(v) for n, v in row.items()})
