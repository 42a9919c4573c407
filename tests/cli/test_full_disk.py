"""No more can be written, at whatever place: exit 3, one line, and the command goes on.

A limit on a file's size stands for the disk: it is met by the first larger file.
"""

import contextlib
import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

DUE = {"sample_every": 2, "evaluate_every": 2}


@contextlib.contextmanager
def no_file_above(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def lines(run: Path) -> list[dict]:
    read = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in x.items() if k != "images_per_second"} for x in read]


@pytest.fixture(scope="module")
def flags(params) -> list[str]:
    return ["--gin_file=ring_logan", "--noprogress", *params(DUE)]


@pytest.fixture(scope="module")
def whole(command, flags, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("whole")
    assert command("train", *flags, f"--run_dir={path}").exit_code == 0
    return path


def refused(done) -> None:
    assert done.exit_code == 3, done
    *warnings, line = done.err.splitlines()
    assert line.startswith("error: ")
    assert "make room" in line
    assert all(warning.startswith("warning: ") for warning in warnings)


@pytest.mark.parametrize(
    "size",
    [
        20_000,  # A picture.
        *(
            pytest.param(size, marks=pytest.mark.slow)
            for size in (0, 100, 500, 1000, 2000, 3000, 4000, 8000, 30_000, 60_000)
        ),
    ],
)
def test_training_goes_on_once_there_is_room(size, command, flags, whole, tmp_path):
    with no_file_above(size):
        refused(command("train", *flags, f"--run_dir={tmp_path}"))
    done = command("train", *flags, f"--run_dir={tmp_path}")
    assert (done.exit_code, done.err) == (0, "")
    assert lines(tmp_path) == lines(whole)
    for folder in ("samples", "evaluations", "checkpoints"):
        made, expected = (
            sorted(x.name for x in (run / folder).iterdir())
            for run in (tmp_path, whole)
        )
        assert made == expected


@pytest.mark.parametrize("size", [0, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("sample", "--output={}/g.npz"),
        ("report", "--run_dir={}"),
        *(
            pytest.param(name, more, marks=pytest.mark.slow)
            for name, more in (
                ("sample", "--output={}/g.png"),
                ("sample", "--output={}/g.gif"),
                ("evaluate", "--seed=7"),
                ("evaluate", "--curve=truncation"),
                ("export", "--output={}/exported"),
            )
        ),
    ],
)
def test_half_an_output_is_none(name, more, size, command, whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    arguments = [name, f"--run_dir={run}", more.format(run)]
    with no_file_above(size):
        refused(command(*arguments))
    assert sorted(tmp_path.rglob("*")) == before
    assert command(*arguments).exit_code == 0
