"""What `metrics.jsonl` says, as charts. Imports no TensorFlow."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from logan_tf import quantities
from logan_tf.plots.charts import Chart, Line, chart
from logan_tf.quantities import Quantity
from logan_tf.runs.run_directory import metric_row

_GREATEST = 1e100  # matplotlib's scales overflow at some power of it
_NOT_DRAWN = ("attempt", "best_")


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
    text = path.read_text("utf-8", errors="replace") if path.is_file() else ""
    for line in filter(str.strip, text.split("\n")):
        row = metric_row(line)
        if row is None:
            garbled += 1
        else:
            rows[row["step"]] = {
                name: _number(value)
                for name, value in row.items()
                if name.isprintable()
            }
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
    known: dict[str, list[Quantity]] = {}
    for quantity in quantities.TRAINED:
        known.setdefault(quantity.chart, []).append(quantity)
    listed = {quantity.name for quantity in quantities.TRAINED}
    others = {
        name: [Quantity(name, name)]
        for name in history.metrics
        if name not in listed and not name.startswith(_NOT_DRAWN)
    }
    drawn = (
        chart(
            title,
            _chosen(history, [quantity.name for quantity in members]),
            note=quantities.CHARTS.get(title, ""),
            marks=history.rollbacks(),
        )
        for title, members in (known | others).items()
    )
    return [found for found in drawn if found is not None]


def _chosen(history: History, names: Iterable[str]) -> list[Line]:
    """Without those that are always 0: a run without latent steps has some."""
    return [
        Line(name, history.steps, history.metrics[name])
        for name in names
        if np.nan_to_num(history.metrics.get(name, np.zeros(1))).any()
    ]


def _number(value: object) -> float:
    if isinstance(value, int | float) and abs(value) < _GREATEST:
        return float(value)
    return np.nan
