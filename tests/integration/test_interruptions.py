"""Real processes that are killed, terminated and started twice."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logan_tf.configuration import recipe_files
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.training.checkpoints import damage

ROOT = recipe_files.RECIPES.parent
PARAMS = {"batch_size": 4, "latent_dim": 4, "log_every": 1, "sample_every": 0}
RING = {
    "standing_batches": 1,
    "mlp.Generator.hidden": (8,),
    "mlp.Discriminator.hidden": (8,),
}


def arguments(name: str, gin_file: str, *flags: str, **macros) -> list[str]:
    bindings = PARAMS | (RING if gin_file == "ring_logan" else {}) | macros
    params = [f"--gin_param={key} = {value!r}" for key, value in bindings.items()]
    return [str(ROOT / "bin" / name), f"--gin_file={gin_file}", *params, *flags]


class Run:
    """bin/train on the ring, as a process that would go on for minutes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.flags = (f"--run_dir={directory}", "--noprogress")
        self.process = self.start()

    def start(self) -> subprocess.Popen:
        command = arguments(
            "train",
            "ring_logan",
            *self.flags,
            total_steps=10**6,
            checkpoint_every=10**6,
        )
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_until_it_trains(self) -> None:
        metrics = self.directory / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while not metrics.is_file() or not metrics.stat().st_size:
            assert time.monotonic() < deadline
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def run(tmp_path) -> Iterator[Run]:
    started = Run(tmp_path / "run")
    yield started
    started.stop()


def kill_and_compare(
    same_run: Callable, folder: Path, kills: int, gin_file: str, **macros
) -> None:
    """A run that is killed at random moments is the one that never was."""

    def train(name: str, timeout: float | None = None) -> None:
        flags = (f"--run_dir={folder / name}", "--noprogress")
        command = arguments("train", gin_file, *flags, **macros)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        assert (done.returncode, done.stderr) == (0, "")

    started = time.monotonic()
    train("whole")
    longest = time.monotonic() - started
    moments = random.Random(0)
    for _ in range(kills):
        with contextlib.suppress(subprocess.TimeoutExpired):
            train("killed", moments.uniform(0, longest))
    train("killed")
    same_run(folder / "killed", folder / "whole", macros["total_steps"])


@pytest.mark.slow
def test_a_run_killed_three_times_is_the_uninterrupted_one(same_run, tmp_path):
    steps = {"total_steps": 1500, "checkpoint_every": 100}
    kill_and_compare(same_run, tmp_path, 3, "ring_logan", **steps)


@pytest.mark.slow
def test_a_run_killed_twenty_times_is_the_uninterrupted_one(
    same_run, data_dir, tmp_path
):
    """With all that a run has: batch norm, an average, samples, stacked digits."""
    macros = {"data_dir": data_dir, "width": 4, "batch_size": 8, "latent_dim": 8}
    macros |= {"total_steps": 3000, "checkpoint_every": 50, "sample_every": 500}
    kill_and_compare(same_run, tmp_path, 20, "stacked_digits_logan", **macros)


def test_sigterm_saves_the_last_step_and_exits_42(run):
    """Meanwhile a second writer is refused at once."""
    run.wait_until_it_trains()
    started = time.monotonic()
    second = subprocess.run(
        arguments("train", "ring_logan", *run.flags, total_steps=10),
        capture_output=True,
        text=True,
    )
    assert time.monotonic() - started < 5
    assert second.returncode == 2
    (line,) = second.stderr.splitlines()
    assert f"is in use by process {run.process.pid} on " in line

    run.process.send_signal(signal.SIGTERM)
    out, err = run.process.communicate(timeout=60)
    assert run.process.returncode == 42
    assert "Traceback" not in out + err
    (steps,) = re.findall(r"interrupted; all (\d+) steps are saved", err)
    files = CheckpointFiles(run.directory / "checkpoints")
    assert files.steps()[-1] == int(steps)
    assert damage(files, int(steps)) is None
    assert not (run.directory / "lock").exists()

    run.process = run.start()
    said = (run.process.stdout.readline() for _ in range(3))
    assert f"resumed at step {steps}\n" in said


@pytest.mark.slow
def test_a_second_signal_stops_at_once(run):
    run.wait_until_it_trains()
    os.kill(run.process.pid, signal.SIGINT)
    assert run.process.stderr.readline() == "\n"
    assert "a second one stops at once" in run.process.stderr.readline()
    os.kill(run.process.pid, signal.SIGINT)
    _, err = run.process.communicate(timeout=60)
    assert run.process.returncode == 42
    assert "Traceback" not in err


def test_an_interruption_while_it_starts_leaves_nothing(run):
    """Before anything is written: the lock alone is there, which nobody holds."""
    while not (run.directory / "lock").is_file():
        time.sleep(0.01)
    time.sleep(0.5)  # TensorFlow is being imported.
    run.process.send_signal(signal.SIGTERM)
    out, err = run.process.communicate(timeout=60)
    assert (run.process.returncode, out) == (42, "starting TensorFlow\n")
    assert err.strip() == "SIGTERM: stopped"
    assert {path.name for path in run.directory.iterdir()} <= {"lock"}


@pytest.mark.slow
def test_a_full_disk_is_told_from_the_end_of_data(tmp_path):
    """The limit on a file's size is met by the network's checkpoint, in mid-file."""
    directory = tmp_path / "run"
    command = arguments(
        "train",
        "ring_logan",
        f"--run_dir={directory}",
        "--noprogress",
        total_steps=4,
        checkpoint_every=2,
        **{"mlp.Generator.hidden": (400, 400)},
    )
    limited = ["bash", "-c", 'ulimit -f 512; exec "$@"', "bash", *command]
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: cannot write a checkpoint to ")
    assert "make room there; the older checkpoints are intact" in line
    assert os.listdir(directory / "checkpoints") == []
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
