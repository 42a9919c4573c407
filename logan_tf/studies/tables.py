"""Tables of a study: over seeds the mean, the deviation, and what 95 % allow."""

import dataclasses
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from logan_tf import atomic_file, quantities, versions
from logan_tf.evaluation import repetition
from logan_tf.evaluation.receipts import Evaluation
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies.committed import CommittedRun
from logan_tf.studies.results import ArmRun, Results, values
from logan_tf.studies.study import Arm

_METRICS = quantities.compared(quantities.EVALUATED)
_TRAINED = quantities.compared(quantities.TRAINED)
_PLAYERS = ("discriminator", "generator")

_DIFFERENCES = "Differences, Welch's 95 % interval; * where it leaves out 0:"
_ENDINGS = "The last fifth of the training, means of each seed in turn:"
_LOCAL = "Error of eq. 26, ‖M(z')v − M(z)v‖ / ‖M(z)v‖ with v = ∂f/∂z':"
_PUBLISHED = (
    "Published ({}, on the data that is named). **Not comparable** with the numbers "
    "above:"
)

Row = dict[str, Any]


def write(folder: Path, results: Results) -> None:
    """Writes `table.md` and `results.json` into a study's folder."""
    atomic_file.write_text(folder / "table.md", markdown(results))
    # Without spaces: receipts of a hundred evaluations are committed beside the tables.
    text = json.dumps(as_json(results), separators=(",", ":"), allow_nan=False)
    atomic_file.write_text(folder / "results.json", f"{text}\n")


def summary(found: Sequence[float]) -> str:
    """'mean ± deviation [interval]' of values, one a seed; of one alone the value."""
    if not found:
        return "–"
    if len(found) == 1:
        return f"{found[0]:.4g}"
    combined = repetition.combine([{"": {"value": value}} for value in found])[""]
    low, high = combined["interval"]
    return (
        f"{combined['value']:.4g} ± {combined['deviation']:.2g} [{low:.4g}, {high:.4g}]"
    )


def rows(results: Results) -> list[Row]:
    """A row for each arm and evaluation: the metrics over seeds."""
    return [
        _row(results, arm, runs, step, asked)
        for arm, runs in results.begun()
        for step, asked in _settings(results, arm, runs)
    ]


def differences(results: Results) -> list[Row]:
    """Each arm less the one it is compared with, by Welch's 95 % interval.

    The first evaluation is compared with the first, and so on: in equal time that of
    another step.
    """
    begun, table = list(results.begun()), []
    by_name = {arm.name: (arm, runs) for arm, runs in begun}
    for arm, runs in begun:
        other, others = by_name.get(arm.versus or "", begun[0])
        steps = (results.study.steps_of(each, results.scale) for each in (arm, other))
        for step, before in zip(*steps, strict=False) if other is not arm else ():
            row = _difference(
                [run.at(step) for run in runs], [run.at(before) for run in others]
            )
            shown = f"{step:,}" if step == before else f"{step:,} − {before:,}"
            head = {"": f"{arm.label} − {other.label}", "step": shown}
            table += [head | row] if row else []
    return table


def endings(results: Results) -> list[Row]:
    """What the latent step did at the end of the training, seed by seed.

    Runs of an arm may be of two kinds, which a mean would hide.
    """
    table = []
    for arm, runs in results.begun():
        row: Row = {"": arm.label}
        for name in _TRAINED:
            found = [run.ending(name) for run in runs if name in run.metrics]
            row[name] = ", ".join(f"{value:.3g}" for value in found) or "–"
        table.append(row)
    return table


def _difference(
    evaluations: Sequence[Evaluation | None], others: Sequence[Evaluation | None]
) -> Row:
    """Of each metric that both have over two seeds or more."""
    row: Row = {}
    for name in _METRICS:
        pair = values(others, name), values(evaluations, name)
        if min(map(len, pair)) >= 2:
            found = repetition.difference(*pair)
            low, high = found.interval
            mark = " *" if found.is_told_apart else ""
            mean = found.second - found.first
            row[name] = f"{mean:+.4g} [{low:+.4g}, {high:+.4g}]{mark}"
    return row


def markdown(results: Results) -> str:
    """All of it as one page."""
    study = results.study
    parts = [
        f"# {study.name}: {study.title}",
        _circumstances(results),
        as_table(rows(results)),
        "Over seeds: mean ± deviation [95 % interval of the mean, Student's t].",
    ]
    for heading, table in {
        _DIFFERENCES: differences(results),
        _ENDINGS: endings(results),
        _LOCAL: _local_approximation(results),
        "Accuracy on real held-out images, learned from samples:": _accuracy(results),
        _PUBLISHED.format(study.published_by): study.published,
    }.items():
        if table:
            parts += [heading, as_table(table)]
    for heading, further in _further(results).items():
        parts += [heading, as_table([_summarized(row) for row in further])]
    ended = [run for _, runs in results.begun() for run in runs if run.collapsed]
    parts.append(
        "\n".join(f"- {run.path.name}: {run.outcome['message']}" for run in ended)
    )
    return "\n\n".join(filter(None, parts)) + "\n"


def as_json(results: Results) -> dict[str, Any]:
    """Every number with its receipt."""
    return {
        "study": results.study.name,
        "scale": results.scale,
        "versions": {
            "python": platform.python_version(),
            **versions.installed("tensorflow", "keras"),
        },
        "published": results.study.published,
        "table": rows(results),
        "differences": differences(results),
        "endings": endings(results),
        "further": _further(results),
        "runs": [
            CommittedRun.of_run(run).said | {"arm": dataclasses.asdict(run.arm)}
            for _, runs in results.begun()
            for run in runs
        ],
    }


def _further(results: Results) -> dict[str, list[Row]]:
    """The study's own tables."""
    return {name: list(make(results)) for name, make in results.study.tables.items()}


def _summarized(row: Row) -> Row:
    """Text as it is, values over seeds in one cell."""
    return {k: summary(v) if isinstance(v, list) else v for k, v in row.items()}


def _settings(
    results: Results, arm: Arm, runs: Sequence[ArmRun]
) -> list[tuple[int, SamplingSettings | None]]:
    """Step and settings of an arm's rows; None: those of the training."""
    steps = results.study.steps_of(arm, results.scale)
    found: list = [(step, None) for step in steps]
    for each in results.study.asked:
        # The training's own evaluation of the last step is there already.
        if each != SamplingSettings(latent_steps=runs[0].latent_steps):
            found.append((steps[-1], each))
    return found


def _row(
    results: Results,
    arm: Arm,
    runs: Sequence[ArmRun],
    step: int,
    asked: SamplingSettings | None,
) -> Row:
    begun = [run for run in runs if run.outcome]
    evaluations = {run: run.at(step, asked) for run in begun}
    found = [each for each in evaluations.values() if each is not None]
    seeds = [run.seed for run, each in evaluations.items() if each is not None]
    row: Row = {"": arm.label, "step": f"{step:,}"}
    if results.study.asked:
        shown = {each.receipt.latent_steps for each in found}
        row["latent steps"] = ", ".join(map(str, sorted(shown)))
        row["truncation"] = f"{asked.truncation if asked else 1:g}"
    row["seeds"] = ", ".join(map(str, seeds)) or "–"
    times = [step * run.seconds_per_step for run in begun if run.seconds_per_step]
    row["seconds"] = f"{np.mean(times):.4g}" if times else "–"
    row["collapsed"] = f"{sum(run.collapsed for run in begun)} of {len(begun)}"
    return row | {name: summary(values(found, name)) for name in _METRICS}


def _circumstances(results: Results) -> str:
    receipts = [
        each.receipt
        for _, runs in results.begun()
        for run in runs
        for each in run.evaluations
    ]
    judged = {f"{each.protocol}, {each.num_samples:,} samples" for each in receipts}
    by = f" {'; '.join(sorted(judged))}." if judged else ""
    return f"Scale `{results.scale}`.{by}"


def _local_approximation(results: Results) -> list[Row]:
    table = []
    asked = results.study.local_approximation
    for arm, runs in results.begun() if asked else ():
        row: Row = {"": arm.label}
        for player in _PLAYERS:
            measured = [run.local_approximation for run in runs]
            found = [each[player] for each in measured if player in each]
            row[player] = summary(found)
        table.append(row)
    return table


def _accuracy(results: Results) -> list[Row]:
    table, real = [], []
    for arm, runs in results.begun() if results.study.accuracy else ():
        table.append({"": arm.label} | _learned([run.accuracy() for run in runs]))
        real += [
            each for run in runs if (each := run.accuracy(of_real=True)) is not None
        ]
    table.append({"": "real images"} | _learned(real[:1]))
    return [row for row in table if row["top_1"] != "–"]


def _learned(evaluations: Sequence[Evaluation | None]) -> Row:
    return {name: summary(values(evaluations, name)) for name in ("top_1", "top_5")}


def as_table(table: Sequence[Row]) -> str:
    """GitHub's Markdown; columns that say nothing are left out."""
    every = dict.fromkeys(name for row in table for name in row)
    names = [n for n in every if any(row.get(n, "–") != "–" for row in table)]
    lines = [names, ["---"] * len(names)]
    lines += [[str(row.get(name, "–")) for name in names] for row in table]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
