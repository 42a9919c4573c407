"""Evaluations along one setting: latent steps (LOGAN's Fig. 7) or truncation (Fig. 3b).

Imports no TensorFlow.
"""

import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from logan_tf import atomic_file
from logan_tf.errors import ConfigurationError
from logan_tf.evaluation.receipts import Evaluation

_MOST_STEPS = 2**31 - 1  # TensorFlow counts in 32 bits.

LATENT_STEPS, TRUNCATION = "latent_steps", "truncation"

DEFAULT_VALUES: dict[str, tuple[float, ...]] = {
    LATENT_STEPS: (0, 1, 5, 10, 20, 30),  # Fig. 7's
    # Fig. 3b goes from 1 to .02; closer where quality still changes with every step.
    TRUNCATION: (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02),
}


class Sweep(NamedTuple):
    """Evaluations of one checkpoint that differ in the axis' setting alone."""

    axis: str
    evaluations: list[Evaluation]

    def values(self) -> list[float]:
        """The axis' setting of each evaluation."""
        return [getattr(each.receipt, self.axis) for each in self.evaluations]


def checked_values(axis: str, texts: Sequence[str]) -> list[float]:
    """Settings to evaluate, each once: latent steps ascending, truncations descending.

    Args:
      axis: one of `DEFAULT_VALUES`.
      texts: numbers; none: the default.

    Raises:
      ConfigurationError: no numbers, no integers where there are steps, or numbers
        out of range.
    """
    of_steps = axis == LATENT_STEPS
    values: set[float]
    try:
        values = {int(x) if of_steps else float(x) for x in texts}
    except ValueError:
        values = {-1}
    values = values or set(DEFAULT_VALUES[axis])
    if not all(0 <= x <= _MOST_STEPS if of_steps else 0 < x <= 1 for x in values):
        wanted = "integers of 0 or more" if of_steps else "numbers above 0, at most 1"
        raise ConfigurationError(
            f"--values={','.join(texts)}: {axis} takes {wanted}, such as "
            f"--values={','.join(f'{x:g}' for x in DEFAULT_VALUES[axis])}"
        )
    return sorted(values, reverse=not of_steps)


def write(path: str | os.PathLike[str], sweep: Sweep) -> None:
    """Writes {"axis": "…", "evaluations": [{"receipt": …, "metrics": …}, …]}."""
    contents = {
        "axis": sweep.axis,
        "evaluations": [each.contents() for each in sweep.evaluations],
    }
    text = json.dumps(contents, indent=2, allow_nan=False) + "\n"
    atomic_file.write_text(path, text)
