"""What a run directory holds, what is broken in it, and the repairs that lose nothing.

Imports no TensorFlow, except to read a checkpoint that has no manifest.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from logan_tf.runs import run_lock
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory

Unreadable = Callable[[Path], str | None]
"""Reads a checkpoint's tensors; says what is wrong with them, or nothing."""


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
      what: "checkpoints", "metrics", …
      text: what there is, or what is wrong and what was done.
      sound: whether it needed no repair.
    """

    what: str
    text: str
    sound: bool = True


class Examination(NamedTuple):
    """All findings, and the step that a resume goes on from, or None."""

    findings: list[Finding]
    resumes_at: int | None


def examine(
    directory: RunDirectory, repair: bool, unreadable: Unreadable
) -> Examination:
    """Looks at a run directory.

    Args:
      directory: of a run.
      repair: whether to mend what can be mended; the caller holds the lock then.
      unreadable: reads checkpoints that have no checksums of ours.

    Returns:
      An `Examination`.
    """
    findings = []
    if repair:
        findings += [
            Finding("half-written", f"removed {name}", sound=False)
            for name in directory.sweep()
        ]
    else:
        findings += [
            Finding("half-written", f"{path.name} is being written or was left behind")
            for path in CheckpointFiles(directory.checkpoints).half_written()
        ]
    of_checkpoints, whole = _checkpoints(directory, repair, unreadable)
    findings += of_checkpoints
    findings += _state_file(directory, repair)
    findings += _metrics(directory, repair)
    findings += _folders(directory)
    return Examination(findings, whole)


def _checkpoints(
    directory: RunDirectory, repair: bool, unreadable: Unreadable
) -> tuple[list[Finding], int | None]:
    """Damaged ones are set aside, unless no whole one would be left."""
    files = CheckpointFiles(directory.checkpoints)
    damaged, whole = {}, []
    for step in files.steps():
        damage = files.damage(step)
        if damage is None and not files.manifest(step):
            damage = unreadable(files.path(step))
        if damage is None:
            whole.append(step)
        else:
            damaged[step] = damage
    findings = []
    for step, damage in damaged.items():
        text = f"step {step} is damaged: {damage}"
        if repair and whole:
            text += f"; its files are in {files.set_aside(step)} now"
        findings.append(Finding("checkpoints", text, sound=False))
    if whole:
        steps = ", ".join(map(str, whole))
        text = f"{'steps' if len(whole) > 1 else 'step'} {steps}: whole"
        findings.append(Finding("checkpoints", text))
        findings += _best(files, whole)
    elif damaged or directory.progressed() or files.lost():
        text = "none is whole: bring one back, or start anew with --restart"
        findings.append(Finding("checkpoints", text, sound=False))
    else:
        findings.append(Finding("checkpoints", "none yet"))
    return findings, whole[-1] if whole else None


def _best(files: CheckpointFiles, whole: list[int]) -> list[Finding]:
    """The best one is the checkpoints' yardstick, even if it is damaged or gone."""
    best = files.best()
    if best is None:
        return []
    if best.step in whole:
        return [Finding("best", f"step {best.step}: {best}")]
    return [Finding("best", f"step {best.step}, {best}, is gone", sound=False)]


def _state_file(directory: RunDirectory, repair: bool) -> list[Finding]:
    files = CheckpointFiles(directory.checkpoints)
    if files.state_is_right():
        return []
    text = f"{files.directory / 'checkpoint'} does not name the checkpoints"
    if repair:
        files.write_state()
        text += ": rebuilt from the files"
    return [Finding("state file", text, sound=False)]


def _metrics(directory: RunDirectory, repair: bool) -> list[Finding]:
    lines = directory.metric_lines()
    steps = [step for _, step in lines if step is not None]
    garbled = len(lines) - len(steps)
    last = f" to step {steps[-1]}" if steps else ""
    findings = [Finding("metrics", f"{len(steps)} lines{last}")]
    if garbled:
        text = f"{garbled} garbled line{'s' if garbled > 1 else ''}"
        if repair:
            directory.truncate_metrics(max(steps, default=0))
            text += ": removed"
        findings.append(Finding("metrics", text, sound=False))
    return findings


def _folders(directory: RunDirectory) -> list[Finding]:
    found = []
    for name, folder, pattern in (
        ("events", directory.events, "events.out.tfevents.*"),
        ("samples", directory.samples, "*.png"),
        ("evaluations", directory.evaluations, "*.json"),
        ("failures", directory.failures, "*/failure.json"),
    ):
        paths = sorted(folder.glob(pattern))
        if not paths:
            continue
        size = sum(path.stat().st_size for path in paths)
        text = f"{len(paths)} ({size / 1e6:.1f} MB), the last {_shown(paths[-1])}"
        found.append(Finding(name, text))
    return found


def _shown(path: Path) -> str:
    return path.parent.name if path.name == "failure.json" else path.name


def in_use(directory: RunDirectory) -> str | None:
    """Who writes to the run at the moment; None if nobody does."""
    return run_lock.holder(directory.path)
