"""A run as one page, `report.html`, that needs no other file and no network.

Whatever is absent is left out. Imports no TensorFlow: a page takes a second or two.
"""

import datetime
import platform
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np

from logan_tf import atomic_file, small_files, versions
from logan_tf.installation import as_typed
from logan_tf.plots import training_curves
from logan_tf.plots.training_curves import History
from logan_tf.report import reported_evaluations
from logan_tf.report.inlined_pictures import Inlined, inline
from logan_tf.runs import flatness, run_lock
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory

_TEMPLATE = "report.html.jinja"
_MOST_LINES = 4000  # of the metrics: a chart is of some hundred pixels
_EARLIER = 6  # samples beside the newest
_SMALL, _LARGE = 400, 1280  # pixels of a picture's longer side, at most
_DATE = "%Y-%m-%d %H:%M UTC"


class _Progress(NamedTuple):
    """How far a run is."""

    step: int
    total: int | None
    checkpoints: list[int]

    @property
    def is_done(self) -> bool:
        return self.total is not None and self.step >= self.total


def write(
    directory: RunDirectory, knobs: Mapping[str, Any], given: Collection[str] = ()
) -> Path:
    """Writes the page of a run, whole or not at all.

    Args:
      directory: holds a configuration; all else may be missing or damaged.
      knobs: what is known of the recipe's, such as {"total_steps": 2000}.
      given: those that are not left as they were, which the page marks.

    Returns:
      Where it lies.

    Raises:
      OSError: if it cannot be written.
    """
    # A name of a file can hold what is no character.
    text = render(directory, knobs, given).encode(errors="replace").decode()
    atomic_file.write_text(directory.report, text)
    return directory.report


def render(
    directory: RunDirectory, knobs: Mapping[str, Any], given: Collection[str] = ()
) -> str:
    """The page as text; arguments as of `write`."""
    history = training_curves.read(directory.metrics, _MOST_LINES)
    progress = _progress(directory, history, knobs)
    failures = _failures(directory)
    return _template().render(
        recipe=directory.recipe(),
        state=_state(directory, progress, failures),
        facts=_facts(directory, history, progress),
        knobs=knobs,
        given=given,
        configurations=_configurations(directory),
        charts=training_curves.charts(history),
        rollbacks=history.rollbacks(),
        garbled=history.garbled,
        every=history.every,
        grids=_grids(directory),
        evaluations=reported_evaluations.collect(directory.evaluations),
        settings=reported_evaluations.SETTINGS,
        direction=reported_evaluations.direction,
        failures=failures,
        commands=_commands(directory, progress),
        versions=_versions(),
        now=f"{datetime.datetime.now(datetime.UTC):{_DATE}}",
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("logan_tf", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(_TEMPLATE)


def _progress(
    directory: RunDirectory, history: History, knobs: Mapping[str, Any]
) -> _Progress:
    checkpoints = CheckpointFiles(directory.checkpoints).steps()
    step = int(max([*history.steps[-1:], *checkpoints[-1:]], default=0))
    total = knobs.get("total_steps")
    return _Progress(step, total if isinstance(total, int) else None, checkpoints)


def _state(
    directory: RunDirectory, progress: _Progress, failures: list[dict[str, Any]]
) -> str:
    of = "" if progress.total is None else f" of {progress.total:,}"
    user = run_lock.holder(directory.path)
    last = failures[-1] if failures else None
    if user:
        now = f", in use by {user}"
    elif progress.is_done:
        now = ", finished"
    elif last and last["step"] >= progress.step:
        now = ", stopped by a failure"
    elif progress.total is None or not progress.step:
        now = ""
    else:
        now = ", not finished"
    return f"Step {progress.step:,}{of}{now}"


def _facts(
    directory: RunDirectory, history: History, progress: _Progress
) -> dict[str, str]:
    saved = ", ".join(f"{step:,}" for step in progress.checkpoints[-5:])
    best = CheckpointFiles(directory.checkpoints).best()
    rows = (
        (int(step), {name: line[at] for name, line in history.metrics.items()})
        for at, step in enumerate(history.steps)
    )
    flat = flatness.of_rows(rows).found
    facts = {
        "Directory": str(directory.path.absolute()),
        "Rollbacks": str(history.attempt) if len(history.steps) else "",
        "Checkpoints of steps": saved or "none yet",
        "Best": f"step {best.step:,}: {best}" if best else "",
        "Discriminator": f"{flat}: {flatness.REMEDIES}" if flat else "",
    }
    return {name: value for name, value in facts.items() if value}


def _configurations(directory: RunDirectory) -> dict[str, str]:
    """Name → text of the files that are there."""
    found = {}
    for path in (directory.config, directory.operative_config):
        if path.is_file():
            found[path.name] = small_files.read_text(path, errors="replace")
    return found


def _grids(directory: RunDirectory) -> list[tuple[int, Inlined | None, str]]:
    """Step, picture and name: the newest samples, and some of those before them."""
    drawn = sorted(directory.drawn_samples().items())
    before = drawn[:-1]
    places = np.linspace(0, len(before) - 1, min(_EARLIER, len(before))).round()
    shown = drawn[-1:] + [before[int(place)] for place in places]
    return [
        (step, inline(path, _SMALL if number else _LARGE), path.name)
        for number, (step, path) in enumerate(shown)
    ]


def _failures(directory: RunDirectory) -> list[dict[str, Any]]:
    found = []
    for folder in sorted(directory.failures.glob("*/")):
        try:
            failure = small_files.read_json(folder / "failure.json")
            step, reason = int(failure["step"]), str(failure["reason"])
        except (*small_files.GARBLED, OverflowError):
            step, reason = 0, "failure.json cannot be read"
        command = as_typed(f"bin/train --run_dir={shlex.quote(str(folder))}")
        found.append(
            {"name": folder.name, "step": step, "reason": reason, "command": command}
        )
    return found


def _commands(directory: RunDirectory, progress: _Progress) -> dict[str, str]:
    """What can be done with the run → the command, as it is typed here."""
    found = _commands_of_bin(directory, progress)
    return {what: as_typed(command) for what, command in found.items()}


def _commands_of_bin(directory: RunDirectory, progress: _Progress) -> dict[str, str]:
    run = f"--run_dir={shlex.quote(str(directory.path))}"
    if not progress.is_done:
        go_on = {"Go on": f"bin/train {run}"}
    else:
        further = f"total_steps = {2 * (progress.total or 0)}"
        go_on = {"Train further": f"bin/train {run} --gin_param={shlex.quote(further)}"}
    if not progress.checkpoints:
        return go_on
    grid = shlex.quote(str(directory.path / "grid.png"))
    return go_on | {
        "Draw samples": f"bin/sample {run} --output={grid}",
        "Evaluate, with intervals": f"bin/evaluate {run} --seeds=5",
        "Export for serving": f"bin/export {run}",
        "Examine, repair": f"bin/doctor {run}",
        "Make this page again": f"bin/report {run}",
    }


def _versions() -> str:
    packages = versions.installed("logan_tf", "tensorflow", "keras")
    found = {"Python": platform.python_version(), **packages}
    return ", ".join(f"{name} {version}" for name, version in found.items() if version)
