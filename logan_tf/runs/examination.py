"""What a run directory holds, what is broken in it, and the repairs that lose nothing.

Imports no TensorFlow: the caller says which checkpoints can be read.
"""

from collections.abc import Iterator
from typing import NamedTuple

from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory, metric_lines, metric_row


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


def examine(
    directory: RunDirectory, repair: bool, damages: dict[int, str | None]
) -> Iterator[Finding]:
    """Looks at a run directory.

    Args:
      directory: of a run.
      repair: whether to mend what can be mended; the caller holds the lock then.
      damages: what is wrong with the checkpoint of each step; None: it is whole.
    """
    if repair:
        for name in directory.sweep():
            yield Finding("half-written", f"removed {name}", sound=False)
    else:
        for path in CheckpointFiles(directory.checkpoints).half_written():
            text = f"{path.name} is being written or was left behind"
            yield Finding("half-written", text)
    yield from _checkpoints(directory, repair, damages)
    yield from _metrics(directory, repair)
    yield from _folders(directory)


def _checkpoints(
    directory: RunDirectory, repair: bool, damages: dict[int, str | None]
) -> Iterator[Finding]:
    """Damaged ones are set aside, unless no whole one would be left."""
    files = CheckpointFiles(directory.checkpoints)
    best = files.best()  # Even if it is damaged or gone.
    whole = [step for step, damage in damages.items() if damage is None]
    for step, damage in damages.items():
        if damage is not None:
            text = f"step {step} is damaged: {damage}"
            if repair and whole:
                text += f"; its files are in {files.set_aside(step)} now"
            yield Finding("checkpoints", text, sound=False)
    if whole:
        steps = ", ".join(map(str, whole))
        what = "steps" if len(whole) > 1 else "step"
        yield Finding("checkpoints", f"{what} {steps}: whole")
        if best is not None:
            sound = best.step in whole
            text = f"step {best.step}: {best}{'' if sound else ', is gone'}"
            yield Finding("best", text, sound)
    elif damages or directory.progressed():
        text = "none is whole: bring one back, or start anew with --restart"
        yield Finding("checkpoints", text, sound=False)
    else:
        yield Finding("checkpoints", "none yet")


def _metrics(directory: RunDirectory, repair: bool) -> Iterator[Finding]:
    num, garbled, greatest, last = 0, 0, 0, ""
    for row in map(metric_row, metric_lines(directory.metrics)):
        if row is None:
            garbled += 1
        else:
            num, greatest = num + 1, max(greatest, row["step"])
            last = f" to step {row['step']}"
    yield Finding("metrics", f"{num} lines{last}")
    if garbled:
        text = f"{garbled} garbled line{'s' if garbled > 1 else ''}"
        if repair:
            directory.truncate_metrics(greatest)
            text += ": removed"
        yield Finding("metrics", text, sound=False)


def _folders(directory: RunDirectory) -> Iterator[Finding]:
    for folder, pattern in (
        (directory.events, "events.out.tfevents.*"),
        (directory.samples, "*.png"),
        (directory.evaluations, "*.json"),
        (directory.failures, "*"),
    ):
        if paths := sorted(folder.glob(pattern)):
            yield Finding(folder.name, f"{len(paths)}, the last {paths[-1].name}")
