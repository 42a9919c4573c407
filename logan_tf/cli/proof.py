"""Proves that a run which is killed again and again is the one that never was."""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory

_WALL_CLOCK = ("images_per_second",)


def prove(
    train_flags: list[str], kills: int, seed: int, directory: str | None = None
) -> None:
    """Trains twice, once killed at random moments, and compares.

    Compared are the hash of all that each checkpoint held, over the whole run, and
    every number in `metrics.jsonl` but the wall-clock ones.

    Args:
      train_flags: for bin/train; without a run directory.
      kills: how often to send SIGKILL.
      seed: of the moments.
      directory: where both runs are kept; None: nowhere.

    Raises:
      ConfigurationError: if the run ends in an error of its own.
      BadDataError: if the runs differ.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(directory or temporary)
        whole, killed = RunDirectory(folder / "whole"), RunDirectory(folder / "killed")
        for each in (whole, killed):
            if each.exists():
                raise ConfigurationError(
                    f"{each.path} holds a run already: choose another --run_dir"
                )
        times = _train(whole, train_flags)
        print(f"uninterrupted: {_progress(whole)} in {sum(times):.1f} s", flush=True)
        moments = random.Random(seed)
        for kill in range(1, kills + 1):
            # On average a kill lets as much be done as makes all of them come in time.
            longest = Times(times.start_up, 2 * times.training / (kills + 1))
            when = _kill(killed, train_flags, longest, moments)
            print(f"kill {kill} of {kills}: {when}, {_progress(killed)}", flush=True)
        _train(killed, train_flags)
        print(f"finished: {_progress(killed)}", flush=True)
        _compare(whole, killed)


class Times(NamedTuple):
    """Seconds until a run begins to train, and from there to its end."""

    start_up: float
    training: float


def _start(directory: RunDirectory, train_flags: list[str]) -> subprocess.Popen:
    program = [sys.executable, "-m", "logan_tf.cli.train", *train_flags]
    return subprocess.Popen(
        [*program, f"--run_dir={directory.path}", "--noprogress"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _train(directory: RunDirectory, train_flags: list[str]) -> Times:
    """Trains to the end."""
    before, started = _num_events(directory), time.monotonic()
    with _start(directory, train_flags) as process:
        _wait_for_training(process, directory, before)
        began = time.monotonic()
        _, errors = process.communicate()
    if process.returncode:
        lines = errors.strip().splitlines() or ["no message"]
        raise ConfigurationError(
            f"bin/train ended with {process.returncode} ({lines[-1]}): mend that first"
        )
    return Times(began - started, time.monotonic() - began)


def _kill(
    directory: RunDirectory,
    train_flags: list[str],
    longest: Times,
    moments: random.Random,
) -> str:
    """Kills a run at a random moment; one in four while it starts up."""
    before = _num_events(directory)
    with _start(directory, train_flags) as process:
        if moments.random() < 0.25:
            what, after = "starting up", moments.uniform(0, longest.start_up)
        else:
            _wait_for_training(process, directory, before)
            what, after = "training", moments.uniform(0, longest.training)
        try:
            process.wait(after)
            return "came after the end"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return f"after {after:.1f} s of {what}"


def _wait_for_training(
    process: subprocess.Popen, directory: RunDirectory, before: int
) -> None:
    """Waits until a run has traced its step and writes the first new metrics.

    It opens a new file of events when all is restored and old lines are gone.
    """
    while process.poll() is None and _num_events(directory) <= before:
        time.sleep(0.02)
    size = _num_bytes(directory)
    while process.poll() is None and _num_bytes(directory) <= size:
        time.sleep(0.02)


def _num_bytes(directory: RunDirectory) -> int:
    return directory.metrics.stat().st_size if directory.metrics.is_file() else 0


def _num_events(directory: RunDirectory) -> int:
    return len(list(directory.events.glob("events.out.tfevents.*")))


def _progress(directory: RunDirectory) -> str:
    steps = CheckpointFiles(directory.checkpoints).steps()
    return f"saved up to step {steps[-1]}" if steps else "nothing saved yet"


def _compare(whole: RunDirectory, killed: RunDirectory) -> None:
    hashes, others = _hashes(whole), _hashes(killed)
    for step in sorted(hashes | others, key=int):
        if hashes.get(step) != others.get(step):
            raise BadDataError(
                f"the runs differ: the weights of step {step} have the hash "
                f"{hashes.get(step)}, and {others.get(step)} in the killed run"
            )
    lines, other_lines = _lines(whole), _lines(killed)
    if len(lines) != len(other_lines):
        raise BadDataError(
            f"the runs differ: {len(lines)} lines of metrics against "
            f"{len(other_lines)} in the killed run"
        )
    for line, other in zip(lines, other_lines, strict=True):
        names = [name for name in line | other if line.get(name) != other.get(name)]
        if names:
            raise BadDataError(
                f"the runs differ at step {line['step']}: {', '.join(names)}"
            )
    print(
        f"the same, bit for bit: {len(hashes)} hashes of all weights, "
        f"{len(lines)} lines of metrics"
    )


def _hashes(directory: RunDirectory) -> dict[str, str]:
    files = CheckpointFiles(directory.checkpoints)
    return files.manifest(files.steps()[-1])["hashes"]


def _lines(directory: RunDirectory) -> list[dict[str, Any]]:
    """The metrics but those that no two runs share."""
    text = directory.metrics.read_text(encoding="utf-8")
    return [
        {name: v for name, v in json.loads(line).items() if name not in _WALL_CLOCK}
        for line in text.splitlines()
    ]
