"""A run's `evaluations/` as tables, every number with its receipt.

Files are read leniently: a page shows what other versions wrote, too. Imports no
TensorFlow.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from logan_tf import quantities
from logan_tf.plots.charts import Chart, Line, chart, shown
from logan_tf.report.inlined_pictures import Inlined, inline

SETTINGS = {
    "checkpoint_step": "step",
    "latent_steps": "latent steps",
    "truncation": "truncation",
    "num_seeds": "seeds",
}
"""What tells the rows of a table apart → its column's head."""

_ARROWS = {"lower": "\N{NO-BREAK SPACE}↓", "higher": "\N{NO-BREAK SPACE}↑", None: ""}
_MEASURED_WITH = ("protocol", "num_samples", "classifier", "reference")
_LONGEST_PICTURE = 2000
_MOST_CHARTS = 9
_MOST_DETAILS = 4000  # characters
_STEP = re.compile(r"step-(\d+)")


class EvaluationRow(NamedTuple):
    """One evaluation.

    Attributes:
      anchor: names it within the page.
      file: its name.
      receipt: as in the file.
      metrics: as in the file.
    """

    anchor: str
    file: str
    receipt: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]

    @property
    def title(self) -> str:
        """The settings in words."""
        return ", ".join(
            f"{head} {self.setting(key)}" for key, head in SETTINGS.items()
        )

    @property
    def details(self) -> str:
        """All that is known of the metrics, as JSON; of much only the beginning."""
        return _cut(json.dumps(self.metrics, indent=1, ensure_ascii=False), self.file)

    def setting(self, name: str) -> str:
        """One of `SETTINGS` as text; of no checkpoint, what was judged instead."""
        value = self.receipt.get(name)
        if value is None and name == "checkpoint_step":
            return str(self.receipt.get("subject"))
        return shown(value)

    def cell(self, metric: str) -> tuple[str, str]:
        """A metric's value as text, and what is known of its spread."""
        found = self.metrics.get(metric, {})
        value = shown(found.get("value"))
        interval = found.get("interval")
        if isinstance(interval, list) and len(interval) == 2:
            return value, f"[{', '.join(map(shown, interval))}]"
        for spread in ("standard_error", "deviation"):
            if spread in found:
                return value, f"± {shown(found[spread])}"
        return value, ""


class Table(NamedTuple):
    """Evaluations that can be compared with each other.

    Attributes:
      caption: what they were measured by.
      metrics: the columns.
      rows: by step, latent steps, truncation.
    """

    caption: str
    metrics: list[str]
    rows: list[EvaluationRow]


class ReportedSweep(NamedTuple):
    """Evaluations of one checkpoint along an axis.

    Attributes:
      axis: "latent_steps" or "truncation".
      step: of the checkpoint.
      table: its rows in the file's order.
      picture: their plot, if there is one.
    """

    axis: str
    step: int
    table: Table
    picture: Inlined | None

    @property
    def title(self) -> str:
        """What it shows."""
        return f"{self.axis.replace('_', ' ').capitalize()} at step {self.step:,}"


class ReportedNeighbors(NamedTuple):
    """Samples beside the real images that are nearest to them."""

    step: int
    picture: Inlined | None
    details: str


class Evaluations(NamedTuple):
    """All that there is.

    Attributes:
      tables: of what was measured alike, one each.
      charts: of the first table's metrics over the steps.
      sweeps: the newest of each axis.
      neighbors: the newest.
      unreadable: names of files that are left out.
    """

    tables: list[Table]
    charts: list[Chart]
    sweeps: list[ReportedSweep]
    neighbors: ReportedNeighbors | None
    unreadable: list[str]


def collect(folder: Path) -> Evaluations:
    """Reads the evaluations of a run; the folder need not exist."""
    rows, sweeps, unreadable = [], {}, []
    neighbors = None
    for path in sorted(folder.glob("[!.]*")):
        if path.suffix == ".png" and "neighbors" in path.stem:
            neighbors = _neighbors(path)
        if path.suffix != ".json" or "neighbors" in path.stem:
            continue
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
            if "axis" in contents:
                sweep = _sweep(path, contents)
                sweeps[sweep.axis] = sweep
            else:
                rows.append(_row(path, contents))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            unreadable.append(path.name)
    tables = _tables(rows)
    return Evaluations(
        tables, _charts(tables), list(sweeps.values()), neighbors, unreadable
    )


def direction(metric: str) -> str:
    """An arrow that says which direction of a metric is better, if one is."""
    return _ARROWS[quantities.find(metric).better]


def _row(path: Path, contents: Mapping[str, Any], index: int = 0) -> EvaluationRow:
    """Raises KeyError or TypeError where the contents are no evaluation."""
    receipt, metrics = contents["receipt"], contents["metrics"]
    if not isinstance(receipt, dict) or not isinstance(metrics, dict):
        raise TypeError("neither receipt nor metrics may be missing")
    for metric in metrics.values():
        metric["value"]
    anchor = re.sub(r"\W+", "-", f"{path.stem}-{index}")
    return EvaluationRow(anchor, path.name, receipt, metrics)


def _sweep(path: Path, contents: Mapping[str, Any]) -> ReportedSweep:
    axis = str(contents["axis"])
    rows = [
        _row(path, evaluation, index)
        for index, evaluation in enumerate(contents["evaluations"])
    ]
    caption = f"step {_step(path):,}, {_caption(rows[0])}" if rows else ""
    table = Table(caption, _metrics(rows), rows)
    picture = inline(path.with_suffix(".png"), _LONGEST_PICTURE)
    return ReportedSweep(axis, _step(path), table, picture)


def _neighbors(path: Path) -> ReportedNeighbors:
    try:
        file = path.with_suffix(".json")
        details = _cut(file.read_text(encoding="utf-8"), file.name)
    except (OSError, ValueError):
        details = ""
    return ReportedNeighbors(_step(path), inline(path, _LONGEST_PICTURE), details)


def _tables(rows: Iterable[EvaluationRow]) -> list[Table]:
    groups: dict[tuple[str, ...], list[EvaluationRow]] = {}
    for row in rows:
        measured_with = tuple(str(row.receipt.get(name)) for name in _MEASURED_WITH)
        groups.setdefault(measured_with, []).append(row)
    # Most evaluations first: those of the training.
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [Table(_caption(rows[0]), _metrics(rows), _sorted(rows)) for rows in ordered]


def _sorted(rows: Iterable[EvaluationRow]) -> list[EvaluationRow]:
    return sorted(
        rows, key=lambda row: [_order(row.receipt.get(name)) for name in SETTINGS]
    )


def _order(value: object) -> float:
    return float(value) if isinstance(value, int | float) else -math.inf


def _caption(row: EvaluationRow) -> str:
    protocol = row.receipt.get("protocol", "unknown protocol")
    return f"{protocol}, {shown(row.receipt.get('num_samples'))} samples"


def _metrics(rows: Iterable[EvaluationRow]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.metrics))


def _charts(tables: Sequence[Table]) -> list[Chart]:
    """Each metric over the steps, where one setting was measured at several."""
    if not tables:
        return []
    series: dict[tuple[object, ...], list[EvaluationRow]] = {}
    for row in tables[0].rows:
        if row.receipt.get("checkpoint_step") is None:
            continue
        setting = tuple(str(row.receipt.get(name)) for name in [*SETTINGS][1:])
        series.setdefault(setting, []).append(row)
    longest = max(series.values(), key=len, default=[])
    steps = np.array([_order(row.receipt.get("checkpoint_step")) for row in longest])
    if len(set(steps)) < 2:
        return []
    drawn = []
    for name in tables[0].metrics[:_MOST_CHARTS]:
        values = [row.metrics.get(name, {}).get("value") for row in longest]
        known = [v if isinstance(v, int | float) else math.nan for v in values]
        line = Line(name, steps, np.array(known, float))
        drawn.append(chart(name, [line], dots=True))
    return [found for found in drawn if found is not None]


def _cut(text: str, file: str) -> str:
    if len(text) <= _MOST_DETAILS:
        return text
    return f"{text[:_MOST_DETAILS]}\n… (all of it is in evaluations/{file})"


def _step(path: Path) -> int:
    match = _STEP.match(path.name)
    return int(match[1]) if match else 0
