"""What `metrics.jsonl` says, as charts. Imports no TensorFlow."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from logan_tf.plots.charts import Chart, Line, chart

_GREATEST = 1e100  # matplotlib's scales overflow at some power of it
_NOT_DRAWN = ("attempt", "best_")


def _of_players(metric: str) -> tuple[str, ...]:
    return f"discriminator_{metric}", f"generator_{metric}"


_CHARTS: dict[str, tuple[tuple[str, ...], str]] = {
    "Losses": (
        ("discriminator_loss", "generator_loss"),
        "as they are minimized, with the regularizer",
    ),
    "Scores": (("real_score", "fake_score"), "mean output of the discriminator"),
    "Latent step ‖Δz‖": (("delta_z_norm",), "mean over the samples"),
    "Score gain": (
        ("score_gain",),
        "mean of f(z') - f(z); negative: the step overshoots",
    ),
    "Clipped, overshot": (
        ("clipped_fraction", "overshoot_fraction"),
        "share of the coordinates that sit on the bounds; of the samples whose slope "
        "at z' points against Δz",
    ),
    "Second-order share": (
        _of_players("second_order_share"),
        "‖second-order part‖ / ‖gradient‖",
    ),
    "Gradient norms": (_of_players("gradient_norm"), ""),
    "Update norms": (_of_players("update_norm"), "‖Δθ‖ of each update"),
    "Singular value": (
        _of_players("sigma"),
        "the largest of the kernels, before normalization",
    ),
    "Regularizer": (("regularizer",), "w_r ‖Δz‖², part of both losses"),
    "Speed": (("images_per_second",), "images a second"),
}
"""Title → the metrics it shows, and what they are; what is in none has its own."""


class History(NamedTuple):
    """The lines of `metrics.jsonl` that can be read.

    Attributes:
      steps: [n], ascending.
      metrics: name → [n] values, NaN where a line has none.
      garbled: how many other lines there are.
    """

    steps: np.ndarray
    metrics: Mapping[str, np.ndarray]
    garbled: int

    @property
    def attempt(self) -> int:
        """The number of rollbacks so far."""
        return int(np.nanmax(self._attempts(), initial=0))

    def rollbacks(self) -> list[float]:
        """The steps from which on another attempt goes."""
        rose: np.ndarray = np.diff(self._attempts()) > 0
        return self.steps[1:][rose].tolist()

    def _attempts(self) -> np.ndarray:
        return self.metrics.get("attempt", np.zeros(len(self.steps)))


def read(path: Path) -> History:
    """Reads metrics; of lines with the same step the last one counts."""
    rows: dict[int, dict[str, float]] = {}
    garbled = 0
    for line in _lines(path):
        row = _row(line)
        if row is None:
            garbled += 1
        else:
            rows[int(row["step"])] = row
    steps = sorted(rows)
    names = dict.fromkeys(name for step in steps for name in rows[step])
    metrics = {
        name: np.array([rows[step].get(name, np.nan) for step in steps])
        for name in names
        if name != "step"
    }
    return History(np.array(steps, float), metrics, garbled)


def charts(history: History) -> list[Chart]:
    """The charts of what there is; a metric that none of them knows has its own."""
    known = {name for names, _ in _CHARTS.values() for name in names}
    others = {
        name: ((name,), "")
        for name in history.metrics
        if name not in known and not name.startswith(_NOT_DRAWN)
    }
    drawn = (
        chart(title, _chosen(history, names), note=note, marks=history.rollbacks())
        for title, (names, note) in (_CHARTS | others).items()
    )
    return [found for found in drawn if found is not None]


def _chosen(history: History, names: Iterable[str]) -> list[Line]:
    """Without those that are always 0: a run without latent steps has some."""
    return [
        Line(name, history.steps, history.metrics[name])
        for name in names
        if np.nan_to_num(history.metrics.get(name, np.zeros(1))).any()
    ]


def _lines(path: Path) -> Iterator[str]:
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line for line in file if line.strip())


def _row(line: str) -> dict[str, float] | None:
    """A line's numbers; None if it is none of the monitor's."""
    try:
        read = json.loads(line)
        step = read["step"]
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            return None
        return {
            name: _number(value) for name, value in read.items() if name.isprintable()
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _number(value: object) -> float:
    if isinstance(value, int | float) and abs(value) < _GREATEST:
        return float(value)
    return np.nan
