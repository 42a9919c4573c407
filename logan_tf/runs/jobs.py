"""Commands that run side by side, each in a process with its share of the cores."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

from logan_tf import installation
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


def run(
    jobs: Sequence[Job], at_once: int, program: Sequence[str] = PROGRAM
) -> Generator[list[Ended], None, None]:
    """Runs jobs in order, each in a process; yields again and again what has ended.

    A generator that is closed early ends all processes by SIGTERM and waits for them.

    Args:
      jobs: what to run.
      at_once: how many at the same time; they share the machine's cores evenly.
      program: what `job.module` is given to.
    """
    waiting, running = list(jobs), dict[int, tuple[Job, subprocess.Popen]]()
    try:
        while waiting or running:
            free = [job for job in waiting if not run_lock.holder(job.directory)]
            for job in free[: at_once - len(running)]:
                waiting.remove(job)
                process = _start(job, at_once, program)
                running[process.pid] = job, process
            time.sleep(_PAUSE)
            ended = [
                pid for pid, (_, each) in running.items() if each.poll() is not None
            ]
            yield [
                Ended(job, process.returncode, _last_line(job))
                for job, process in map(running.pop, ended)
            ]
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.wait()


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _start(job: Job, at_once: int, program: Sequence[str]) -> subprocess.Popen:
    job.directory.mkdir(parents=True, exist_ok=True)
    threads = str(max(1, num_cores() // at_once))
    root = str(installation.ROOT)
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
