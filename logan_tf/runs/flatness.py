"""Whether a discriminator has gone flat: it scores real and generated samples alike,
and little is left of the generator's gradient.

Read from the lines of `metrics.jsonl`. Imports no TensorFlow.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from logan_tf.runs.run_directory import metric_lines, metric_row

WINDOW = 20  # lines, of which medians are taken
_FALL = 10.0  # of G's gradient norm and of the scores' distance, from their greatest
_READ = ("real_score", "fake_score", "generator_gradient_norm")

REMEDIES = (
    "a latent step whose α/β is too large makes it so, and heavy penalties can; lower "
    "α, raise β, or set LatentRule.regularizer_weight to 0"
)
"""Cause and remedy where nobody knows of the run's latent step."""


class Flat(NamedTuple):
    """Where a discriminator went flat, by medians of `WINDOW` lines.

    Attributes:
      step: of the line that showed it.
      apart: |D(x) − D(G(z'))| there.
      gradient_norm: the generator's there.
      before: the greatest that it was.
    """

    step: int
    apart: float
    gradient_norm: float
    before: float

    def __str__(self) -> str:
        return (
            f"the discriminator has gone flat by step {self.step:,}: it scores real "
            f"and generated samples {self.apart:.2g} apart, and the generator's "
            f"gradient norm fell from {self.before:.2g} to {self.gradient_norm:.2g}"
        )


class Flatness:
    """Sees a training's lines in order, and says once where D went flat.

    D is flat where the medians of the last `WINDOW` lines of both G's gradient norm and
    the distance of real and generated scores are a tenth or less of the greatest such
    medians before. (One alone is no sign: scores meet in sound training too, and a
    gradient falls where a generator is done.)
    """

    def __init__(self) -> None:
        self._lines: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._greatest = [0.0, 0.0]
        self.found: Flat | None = None

    def see(self, step: int, values: Mapping[str, Any]) -> Flat | None:
        """Where it went flat, if this line is the one that shows it; else None.

        Args:
          step: of the line.
          values: of the line; one that lacks scores or G's norm is passed over.
        """
        try:
            real, fake, norm = (float(values[name]) for name in _READ)
        except (KeyError, TypeError, ValueError):
            return None
        if not math.isfinite(real - fake) or not math.isfinite(norm):
            return None
        self._lines.append((abs(real - fake), norm))
        if self.found is not None or len(self._lines) < WINDOW:
            return None
        now = [median(each) for each in zip(*self._lines, strict=True)]
        self._greatest = [max(pair) for pair in zip(now, self._greatest, strict=True)]
        fell = [_FALL * n <= g for n, g in zip(now, self._greatest, strict=True)]
        if all(fell):
            self.found = Flat(step, now[0], now[1], self._greatest[1])
        return self.found


def of_rows(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Flatness:
    """What steps and their values show, in order."""
    flatness = Flatness()
    for step, values in rows:
        flatness.see(step, values)
    return flatness


def of_lines(path: Path) -> Flatness:
    """What the lines of a `metrics.jsonl` show, which need not exist."""
    rows = (row for row in map(metric_row, metric_lines(path)) if row is not None)
    return of_rows((row["step"], row) for row in rows)


def remedy(pull: float | None) -> str:
    """What makes D flat, and what can be done.

    Args:
      pull: ‖Δz‖ / ‖∂f/∂z‖ of the latent step for a small slope; None: there is none.
    """
    if pull is None:
        return (
            "its penalties or its size keep it there; lower their weights, raise "
            "discriminator_rate, or widen it"
        )
    return (
        f"the latent step makes it pay {pull:.3g} times its squared slope along z "
        f"(α/β); lower α or raise β to a third of that, or set "
        "LatentRule.regularizer_weight to 0"
    )
