"""A run's `evaluations/` as tables, every number with its receipt.

Files are read leniently: a page shows what other versions wrote, too. Imports no
TensorFlow.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from logan_tf import quantities, small_files
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
    """Evaluations that can be compared with each other, or a curve's.

    Attributes:
      rows: one or more; by step, latent steps, truncation, or as the curve goes.
      step: of a curve's checkpoint.
      axis: of the curve.
      picture: of the curve, if there is one.
    """

    rows: list[EvaluationRow]
    step: int = 0
    axis: str = ""
    picture: Inlined | None = None

    @property
    def title(self) -> str:
        """What a curve shows."""
        return f"{self.axis.replace('_', ' ').capitalize()} at step {self.step:,}"

    @property
    def caption(self) -> str:
        """What all were measured by."""
        receipt = self.rows[0].receipt if self.rows else {}
        protocol = receipt.get("protocol", "unknown protocol")
        return f"{protocol}, {shown(receipt.get('num_samples'))} samples"

    @property
    def metrics(self) -> list[str]:
        """The columns."""
        return list(dict.fromkeys(name for row in self.rows for name in row.metrics))


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
    sweeps: list[Table]
    neighbors: ReportedNeighbors | None
    unreadable: list[str]


def collect(folder: Path) -> Evaluations:
    """Reads the evaluations of a run; the folder need not exist."""
    rows, sweeps, unreadable = [], {}, []
    neighbors = None
    # By stem: what has a name of its own comes after what was there first.
    for path in sorted(folder.glob("[!.]*.json"), key=lambda path: path.stem):
        try:
            text = small_files.read_text(path)
            picture = path.with_suffix(".png")
            if "neighbors" in path.stem:
                image = inline(picture, _LONGEST_PICTURE)
                details = _cut(text, path.name)
                neighbors = ReportedNeighbors(_step(path), image, details)
                continue
            contents = small_files.parse(text)
            if "axis" not in contents:
                rows.append(_row(path, contents))
                continue
            of_curve = [
                _row(path, evaluation, index)
                for index, evaluation in enumerate(contents["evaluations"])
            ]
            axis, image = str(contents["axis"]), inline(picture, _LONGEST_PICTURE)
            sweeps[axis] = Table(of_curve, _step(path), axis, image)
        except small_files.GARBLED:
            unreadable.append(path.name)
    tables = _tables(rows)
    charts = _charts(tables[0]) if tables else []
    return Evaluations(tables, charts, list(sweeps.values()), neighbors, unreadable)


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


def _tables(rows: Iterable[EvaluationRow]) -> list[Table]:
    groups: dict[tuple[str, ...], list[EvaluationRow]] = {}
    for row in rows:
        measured_with = tuple(str(row.receipt.get(name)) for name in _MEASURED_WITH)
        groups.setdefault(measured_with, []).append(row)
    # Most evaluations first: those of the training.
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [Table(sorted(rows, key=_place)) for rows in ordered]


def _place(row: EvaluationRow) -> list[float]:
    return [_number(row.receipt.get(name), -math.inf) for name in SETTINGS]


def _number(value: object, otherwise: float = math.nan) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


def _charts(table: Table) -> list[Chart]:
    """Each metric over the steps, where one setting was measured at several."""
    series: dict[tuple[str, ...], list[EvaluationRow]] = {}
    for row in table.rows:
        if row.receipt.get("checkpoint_step") is not None:
            setting = tuple(str(row.receipt.get(name)) for name in [*SETTINGS][1:])
            series.setdefault(setting, []).append(row)
    longest = max(series.values(), key=len, default=[])
    steps = np.array([_number(row.receipt["checkpoint_step"]) for row in longest])
    if len(set(steps)) < 2:
        return []
    drawn = []
    for name in table.metrics[:_MOST_CHARTS]:
        values = [_number(row.metrics.get(name, {}).get("value")) for row in longest]
        drawn.append(chart(name, [Line(name, steps, np.array(values))], dots=True))
    return [found for found in drawn if found is not None]


def _cut(text: str, file: str) -> str:
    if len(text) <= _MOST_DETAILS:
        return text
    return f"{text[:_MOST_DETAILS]}\n… (all of it is in evaluations/{file})"


def _step(path: Path) -> int:
    match = _STEP.match(path.name)
    return int(match[1]) if match else 0
