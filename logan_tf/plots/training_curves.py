"""What `metrics.jsonl` says, as charts. Imports no TensorFlow."""

from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from logan_tf import quantities
from logan_tf.plots.charts import Chart, Line, chart
from logan_tf.quantities import Quantity
from logan_tf.runs.run_directory import metric_lines, metric_row

_GREATEST = 1e100  # matplotlib's scales overflow at some power of it
_MOST_NAMES = 500  # of a file that gives each line its own
_NOT_DRAWN = ("attempt", "best_")


class History(NamedTuple):
    """The lines of `metrics.jsonl` that can be read.

    Attributes:
      steps: [n], ascending.
      metrics: name → [n] values, NaN where a line has none.
      garbled: how many other lines there are, of those that were read.
      every: one in so many lines was read.
    """

    steps: np.ndarray
    metrics: Mapping[str, np.ndarray]
    garbled: int
    every: int = 1

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


def read(path: Path, most: int | None = None) -> History:
    """Reads metrics; of lines with the same step the last one counts.

    Args:
      path: of the file; need not exist.
      most: lines to read, about: of more, one in so many, and the last; None: all.
    """
    num = 0 if most is None else sum(1 for _ in metric_lines(path))
    every = max(1, num // most) if most else 1
    steps, garbled = array("d"), 0
    columns: dict[str, array[float]] = {}
    for number, line in enumerate(metric_lines(path), start=1):
        if number % every and number != num:
            continue
        row = metric_row(line)
        if row is None:
            garbled += 1
            continue
        for name, value in row.items():
            if name in columns or (name.isprintable() and len(columns) < _MOST_NAMES):
                column = columns.setdefault(name, array("d"))
                if len(column) < len(steps):
                    _fill(column, len(steps))
                column.append(_number(value))
        steps.append(row["step"])
    columns.pop("step", None)
    for column in columns.values():
        _fill(column, len(steps))
    order = _last_of_each(np.asarray(steps))
    metrics = {name: np.asarray(column)[order] for name, column in columns.items()}
    return History(np.asarray(steps)[order], metrics, garbled, every)


def _fill(column: "array[float]", length: int) -> None:
    """Up to a length with NaN."""
    column.extend([np.nan] * (length - len(column)))


def _last_of_each(steps: np.ndarray) -> np.ndarray:
    """Which are the last of their steps, in the order of these."""
    order = np.argsort(steps, kind="stable")
    is_last: np.ndarray = np.append(np.diff(steps[order]) > 0, True)
    return order[is_last[: len(order)]]


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
