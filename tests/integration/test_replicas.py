"""bin/train on two devices and in two worker processes, as one types it."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from logan_tf.configuration import recipe_files

TRAIN = str(recipe_files.RECIPES.parent / "bin" / "train")
TINY = {
    "batch_size": 8,
    "width": 2,
    "latent_dim": 8,
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 2,
    "standing_batches": 1,
}
SECONDS = 300


def cluster(number: int) -> list[str]:
    """A TF_CONFIG for each of so many workers on free loopback ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return [
        json.dumps(
            {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            }
        )
        for index in range(number)
    ]


@pytest.fixture
def start(tmp_path, data_dir):
    """(run, flags, TF_CONFIG) → a process of bin/train; none outlives the test."""
    processes = []

    def popen(run: Path, *flags: str, tf_config: str = "", **macros):
        bindings = TINY | {"data_dir": data_dir} | macros
        params = [f"--gin_param={name} = {value!r}" for name, value in bindings.items()]
        command = [TRAIN, "--gin_file=stacked_digits_logan", f"--run_dir={run}"]
        process = subprocess.Popen(
            [*command, *params, *flags, "--noprogress"],
            env=os.environ | {"TF_CONFIG": tf_config},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield popen
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def ended(start) -> Callable:
    """The same, waited for: (exit code, output, errors)."""

    def run(*arguments, **settings) -> tuple[int, str, str]:
        process = start(*arguments, **settings)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    return run


def metrics(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    return [{k: v for k, v in x.items() if k != "images_per_second"} for x in lines]


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_replicas(start, ended, tmp_path):
    """Two steps on two devices of one process, two in two processes."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert ended(whole, total_steps=4)[0] == 0
    done = ended(cut, "--strategy=mirrored", "--virtual_devices=2", total_steps=2)
    assert (done[0], done[2]) == (0, "")
    workers = [start(cut, total_steps=4, tf_config=text) for text in cluster(2)]
    outputs = [worker.communicate(timeout=SECONDS) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outputs
    (chief, chief_err), (other, other_err) = outputs
    assert (chief_err, other_err) == ("", "")
    assert "resumed at step 2" in chief
    first, *starts = other.splitlines()  # Of the training the chief alone speaks.
    assert first == "worker 2 of 2 meets the others"
    assert [line.split()[0] for line in starts] == ["starting", "building"]

    expected, found = metrics(whole), metrics(cut)
    assert [line["step"] for line in found] == [1, 2, 3, 4]
    for left, right in zip(expected, found, strict=True):
        assert left.keys() == right.keys()
        np.testing.assert_allclose(
            list(left.values()), list(right.values()), rtol=1e-3, atol=1e-4
        )

    def files(run: Path) -> set[str]:
        names = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}
        return {name for name in names if not name.startswith("events")}

    assert files(cut) == files(whole)
    assert "samples/step-00000004.png" in files(cut)


def test_workers_that_disagree_are_refused_before_tensorflow_is_imported(
    start, tmp_path
):
    run = tmp_path / "run"
    workers = [
        start(run, total_steps=4, tf_config=text, seed=number)
        for number, text in enumerate(cluster(2))
    ]
    errors = [worker.communicate(timeout=SECONDS)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [2, 2]
    assert errors[0] == errors[1]
    (line,) = errors[0].splitlines()
    assert "the workers differ: seed is 0 at worker 1 (127.0.0.1:" in line
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_whose_peer_dies_says_so_and_ends(victim, start, tmp_path):
    run = tmp_path / "run"
    settings = {"total_steps": 10**6, "checkpoint_every": 10**5, "sample_every": 0}
    workers = [start(run, tf_config=text, **settings) for text in cluster(2)]
    deadline = time.monotonic() + SECONDS
    while not (run / "metrics.jsonl").exists() or len(metrics(run)) < 3:
        assert time.monotonic() < deadline
        assert all(worker.poll() is None for worker in workers)
        time.sleep(1)
    workers[victim].kill()
    survivor = workers[1 - victim]
    _, err = survivor.communicate(timeout=90)
    assert survivor.returncode == 42
    assert re.fullmatch(r"another worker ended .* the last checkpoint\n", err)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--dry_run"]])
def test_a_batch_that_two_devices_cannot_share(flags, ended, tmp_path):
    run = tmp_path / "run"
    code, _, err = ended(run, "--virtual_devices=2", *flags, batch_size=7)
    assert code == 2
    assert err == (
        "error: batch_size 7 cannot be split evenly among 2 replicas: "
        "set it to 6 or 8\n"
    )
    assert not run.exists()
