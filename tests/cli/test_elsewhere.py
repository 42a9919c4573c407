"""bin/export --train_step, and back by --trained."""

import json
import shutil

import numpy as np
import pytest


@pytest.fixture
def run(digits_run, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(digits_run, path)
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_a_run_leaves_and_comes_back(command, run, tmp_path):
    folder = tmp_path / "programs"
    flags = [f"--run_dir={run}", f"--train_step={folder}", "--batches=2"]
    done = command("export", *flags)
    assert (done.exit_code, done.err) == (0, "")
    assert f"step 4 of {run}, to train elsewhere: {folder}" in done.out
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == {"step", "draw", "sample"}
    with np.load(folder / "state.npz") as file:
        state = {name: file[name] for name in file.files}
    assert state["step"] == 4
    state["step"] = np.int64(7)
    state["averaged_generator/dense/bias"] += 1
    np.savez(tmp_path / "trained.npz", **state)
    back = f"--trained={tmp_path / 'trained.npz'}"
    done = command("export", f"--run_dir={run}", back)
    assert (done.exit_code, done.err) == (0, "")
    assert f"step 7 of {run} is that of" in done.out
    # It is a checkpoint as any other, and cannot come back twice.
    picture = f"--output={tmp_path / 'grid.png'}"
    assert command("sample", f"--run_dir={run}", "--num=4", picture).exit_code == 0
    done = command("export", f"--run_dir={run}", back)
    assert done.exit_code == 2
    assert "has 7 steps, the run has 7" in done.err


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_a_run_that_begins_elsewhere(command, tmp_path, data_dir):
    bindings = {"batch_size": 4, "width": 2, "latent_dim": 8, "data_dir": data_dir}
    done = command(
        "export",
        "--gin_file=digits_logan",
        *(f"--gin_param={name} = {value!r}" for name, value in bindings.items()),
        f"--run_dir={tmp_path / 'run'}",
        f"--train_step={tmp_path / 'programs'}",
    )
    assert (done.exit_code, done.err) == (0, "")
    assert (tmp_path / "run" / "config.gin").is_file()
    assert (tmp_path / "programs" / "step.stablehlo").is_file()


def test_what_did_not_come_back(command, run, tmp_path):
    (tmp_path / "trained.npz").write_bytes(b"x")
    for path, code in ((tmp_path / "trained.npz", 3), (tmp_path / "none.npz", 3)):
        done = command("export", f"--run_dir={run}", f"--trained={path}")
        assert done.exit_code == code
        assert "is no state of a run" in done.err
        assert done.err.count("\n") == 1


def test_nowhere_to_begin(command, tmp_path):
    flags = ["--gin_file=digits_logan", f"--train_step={tmp_path}"]
    done = command("export", *flags)
    assert done.exit_code == 2
    assert "Give --run_dir" in done.err
