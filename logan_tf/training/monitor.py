"""What a run tells while it trains: TensorBoard, `metrics.jsonl`, a progress bar."""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tqdm import tqdm

from logan_tf import atomic_file, quantities
from logan_tf.runs import dashboard, flatness
from logan_tf.runs.run_directory import RunDirectory

_SECONDS_PER_LINE = 60.0  # of a log, which has no bar
_FRAME = 16  # bytes of a record that are not its content
_EVALUATION, _PICTURE, _SPECTRUM = "evaluation/", "pictures/", "spectrum/"


class Monitor:
    """Writes scalars, pictures and text of a run.

    Opened at the step that a run resumes from, it removes what was written past it: the
    uninterrupted run's lines and events are then the same.

    Args:
      directory: of the run.
      step: the number of steps done.
      total_steps: how many there will be, for the progress bar.
      progress: whether to show the bar, or a line a minute where no terminal is.
      pictures_follow: whether the pictures and evaluations of `step` are still to come.
      remedy: what to say where the discriminator has gone flat.
    """

    def __init__(
        self,
        directory: RunDirectory,
        step: int,
        total_steps: int,
        progress: bool = True,
        pictures_follow: bool = False,
        remedy: str = "",
    ) -> None:
        directory.truncate_metrics(step)
        self._flatness, self._remedy = flatness.of_lines(directory.metrics), remedy
        truncate_events(directory.events, step, pictures_follow)
        self._lines = directory.metrics.open("a", encoding="utf-8")
        self._described: set[str] = set()
        self._writer = tf.summary.create_file_writer(str(directory.events))
        self._bar = tqdm(
            total=total_steps,
            initial=step,
            unit="step",
            disable=None if progress else True,  # None: unless it is a terminal.
            dynamic_ncols=True,
            smoothing=0.1,
        )
        self._step, self._total_steps = step, total_steps
        self._says_steps = progress and self._bar.disable
        self._said = time.monotonic()

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._lines.close()
        self._writer.close()

    def begin(self, step: int, configuration: str, knobs: Mapping[str, object]) -> None:
        """Writes what TensorBoard shows beside curves.

        Args:
          step: the number of steps done.
          configuration: as Markdown.
          knobs: the recipe's macros, by which runs are told apart.
        """
        self.text(step, "configuration", configuration)
        with self._writing(step):
            for summary in (dashboard.page(), dashboard.knobs(knobs)):
                tf.summary.experimental.write_raw_pb(summary)

    def scalars(self, step: int, values: dict[str, float | int]) -> None:
        """Writes a line and an event.

        Args:
          step: the number of steps done.
          values: finite numbers by name, Python's or NumPy's.
        """
        values = {
            name: value if isinstance(value, int) else float(value)
            for name, value in values.items()
        }
        self._lines.write(json.dumps({"step": step, **values}) + "\n")
        self._event(step, values)
        if (flat := self._flatness.see(step, values)) is not None:
            self.say(f"{flat}: {self._remedy}")
            self.text(step, "flat discriminator", f"{flat}: {self._remedy}")

    def evaluation(self, step: int, values: dict[str, float]) -> None:
        """Writes an event of metrics; their lines are in the evaluation's own file."""
        self._event(step, values, _EVALUATION)

    def spectrum(self, step: int, values: dict[str, float]) -> None:
        """Writes an event of an eigenvalue's numbers."""
        self._event(step, values, _SPECTRUM)

    def _event(self, step: int, values: dict[str, float], group: str = "") -> None:
        """Writes numbers as one event.

        An event a number takes ten times as long, and each of them stays in memory:
        TensorFlow keeps every Python number that has become a tensor.

        Args:
          values: by name.
          group: what they stand in; empty: each in its own.
        """
        summaries = []
        for name, value in values.items():
            tag = f"{group or quantities.find(name).group + '/'}{name}"
            summaries.append(
                dashboard.scalar(tag, name, value, tag not in self._described)
            )
            self._described.add(tag)
        with self._writing(step):
            # Messages one after the other are one message of all their fields.
            tf.summary.experimental.write_raw_pb(b"".join(summaries))

    def _writing(self, step: int) -> contextlib.AbstractContextManager[None]:
        return self._writer.as_default(step=np.int64(step))  # No Python number.

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Writes a picture, uint8 [height, width, channels]."""
        with self._writing(step):
            tf.summary.image(f"{_PICTURE}{name}", image[None])

    def text(self, step: int, name: str, markdown: str) -> None:
        """Writes a text."""
        with self._writing(step):
            tf.summary.text(name, markdown)

    def advance(self, num_steps: int, values: dict[str, float]) -> None:
        """Moves the progress bar on, shows the losses and puts the lines on disk."""
        self._lines.flush()
        self._step += num_steps
        shown = {
            "D": f"{values['discriminator_loss']:.3f}",
            "G": f"{values['generator_loss']:.3f}",
            "Δz": f"{values['delta_z_norm']:.3f}",
        }
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(num_steps)
        if self._says_steps and time.monotonic() - self._said > _SECONDS_PER_LINE:
            self._said = time.monotonic()
            losses = ", ".join(f"{name} {value}" for name, value in shown.items())
            self.say(f"step {self._step:,} of {self._total_steps:,}: {losses}")

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        with self._bar.external_write_mode():
            print(line, flush=True)

    def flush(self) -> None:
        """Puts all that was written on disk; before each checkpoint."""
        self._lines.flush()
        self._writer.flush()


class SilentMonitor(Monitor):
    """Takes the same calls and writes nothing; for workers that are not the chief."""

    def __init__(self) -> None:
        nowhere = Path(os.devnull)
        self._lines = nowhere.open("a", encoding="utf-8")
        self._flatness, self._remedy = flatness.Flatness(), ""
        self._described = set()
        self._writer = tf.summary.create_noop_writer()
        self._bar = tqdm(disable=True)
        self._step = self._total_steps = 0
        self._says_steps = False

    def say(self, line: str) -> None:
        """Prints nothing."""


def truncate_events(directory: Path, step: int, pictures_follow: bool = False) -> None:
    """Rewrites TensorBoard's files without the events past a step.

    Args:
      directory: of the event files; need not exist.
      step: the last step that stays.
      pictures_follow: whether its own pictures and evaluations go too.
    """
    for path in sorted(directory.glob("events.out.tfevents.*")):
        with path.open("rb") as source, atomic_file.replacing(path) as target:
            # It ends before what a kill or damage has left.
            for record in RawEventFileLoader(str(path)).Load():
                contents = source.read(_FRAME + len(record))
                if _stays(record, step, pictures_follow):
                    target.write(contents)


def _stays(record: bytes, step: int, pictures_follow: bool) -> bool:
    try:
        event = tf.compat.v1.Event.FromString(record)
    except DecodeError:  # It is none of ours.
        return False
    return event.step <= step - (pictures_follow and _is_picture(event))


def _is_picture(event: tf.compat.v1.Event) -> bool:
    """Whether it is what a hook wrote."""
    return any(
        value.tag.startswith((_EVALUATION, _PICTURE, _SPECTRUM))
        for value in event.summary.value
    )
