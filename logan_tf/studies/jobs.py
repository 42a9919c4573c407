"""Commands that run side by side, each in a process with its share of the cores."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import logan_tf
from logan_tf.errors import PreemptedError
from logan_tf.runs import run_lock

PROGRAM = (sys.executable, "-P", "-m")
LOG = "output.log"
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_PAUSE = 0.1  # seconds between two looks at the processes
_SHOWN_EVERY = 2.0


class Job(NamedTuple):
    """One command for one run."""

    module: str
    flags: tuple[str, ...]
    directory: Path
    """Of the run; while another process writes there, the job waits."""


class Ended(NamedTuple):
    """A job's end."""

    job: Job
    exit_code: int
    """Negative: the signal that ended it."""
    message: str
    """The last line of what it printed."""


class _Process(NamedTuple):
    job: Job
    popen: subprocess.Popen


def run(
    jobs: Sequence[Job],
    *,
    at_once: int,
    on_end: Callable[[Ended], None],
    stop: Callable[[], bool] = lambda: False,
    show: Callable[[int, list[Job]], None] = lambda ended, running: None,
    program: Sequence[str] = PROGRAM,
) -> None:
    """Runs jobs in order, all of them to their end.

    Args:
      jobs: what to run.
      at_once: how many at the same time; they share the machine's cores evenly.
      on_end: told of each as it ends; what it raises ends all others by SIGTERM.
      stop: asked ten times a second; once it says so all are ended by SIGTERM.
      show: told every two seconds how many have ended and which are running.
      program: what `job.module` is given to.

    Raises:
      PreemptedError: when `stop` said so, and all processes have saved and ended.
    """
    waiting, running = list(jobs), list[_Process]()
    ended, shown = 0, 0.0
    try:
        while waiting or running:
            for process in [p for p in running if p.popen.poll() is not None]:
                running.remove(process)
                ended += 1
                code = process.popen.returncode
                on_end(Ended(process.job, code, _last_line(process.job)))
            if stop():
                raise PreemptedError(
                    "interrupted; what was running is saved, and the same command goes "
                    "on from there"
                )
            free = [job for job in waiting if not run_lock.holder(job.directory)]
            for job in free[: at_once - len(running)]:
                waiting.remove(job)
                running.append(_Process(job, _start(job, at_once, program)))
            if time.monotonic() - shown > _SHOWN_EVERY:
                shown = time.monotonic()
                show(ended, [process.job for process in running])
            time.sleep(_PAUSE)
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.popen.send_signal(signal.SIGTERM)
        for process in running:
            process.popen.wait()


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _start(job: Job, at_once: int, program: Sequence[str]) -> subprocess.Popen:
    job.directory.mkdir(parents=True, exist_ok=True)
    threads = str(max(1, num_cores() // at_once))
    root = str(Path(logan_tf.__file__).parents[1])
    paths = [root, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | dict.fromkeys(_THREADS, threads)
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    with (job.directory / LOG).open("ab") as log:
        return subprocess.Popen(
            [*program, job.module, *job.flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            # Ctrl-C reaches this process alone, which passes it on once.
            start_new_session=True,
        )


def _last_line(job: Job) -> str:
    text = (job.directory / LOG).read_text("utf-8", errors="replace")
    return (text.strip().splitlines() or ["no message"])[-1]
