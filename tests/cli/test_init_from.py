"""bin/train --init_from: a new run from the weights of another."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

RING = "--gin_file=ring_logan"
NETWORKS = ("generator/", "averaged_generator/", "discriminator/")


@pytest.fixture(scope="module")
def started(train, params, ring_run, tmp_path_factory):
    """(the run, what was printed) of one step from the weights of `ring_run`."""
    run = tmp_path_factory.mktemp("started") / "run"
    out = train(
        RING, f"--run_dir={run}", f"--init_from={ring_run}", *params(total_steps=1)
    )
    return run, out


def test_step_0_has_the_other_runs_networks_and_nothing_else_of_it(
    started, saved, ring_run
):
    run, out = started
    assert f"the weights are those of {ring_run.resolve()} after 4 steps" in out
    noted = json.loads((run / "initialization.json").read_text())
    assert noted == {"run": str(ring_run.resolve()), "step": 4}
    theirs, first = saved(ring_run, 4), saved(run, 0)
    assert theirs.keys() == first.keys()
    same = {name for name in first if np.array_equal(first[name], theirs[name])}
    assert {name for name in first if name.startswith(NETWORKS)} <= same
    assert len([name for name in same if name.startswith(NETWORKS)]) >= 12
    for name, value in first.items():
        if "optimizer" in name and "learning_rate" not in name and value.size > 1:
            assert not value.any(), name
            assert theirs[name].any(), name
    (step,) = (value for name, value in first.items() if name.startswith("step/"))
    assert step == 0


def test_the_same_command_goes_on(started, saved, train, params, ring_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(started[0], run)
    flags = (RING, f"--run_dir={run}", *params(total_steps=2))
    out = train(*flags, f"--init_from={ring_run}")
    assert "resumed at step 1" in out
    assert "the weights are" not in out
    # Without the flag too: the run has checkpoints of its own.
    whole = tmp_path / "whole"
    train(RING, f"--run_dir={whole}", f"--init_from={ring_run}", *params(total_steps=2))
    found, expected = saved(run, 2), saved(whole, 2)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_a_run_that_began_otherwise_is_refused(command, params, ring_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(ring_run, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    done = command(
        "train", f"--run_dir={run}", f"--init_from={ring_run}", "--noprogress"
    )
    assert done.exit_code == 2
    assert done.err.count("\n") == 1
    assert "did not begin with the weights of" in done.err
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mlp.Generator.hidden": (9,)}, r"variable .*generator/0 is \[4, 8\] there"),
        ({"mlp.Generator.hidden": (8, 8)}, r"variable .*generator/2 is .* there and"),
        ({"mlp.Discriminator.hidden": ()}, r"discriminator/0 is .* there and"),
    ],
)
def test_other_networks_are_refused(
    given, message, command, params, ring_run, tmp_path
):
    run = tmp_path / "run"
    done = command(
        "train", RING, f"--run_dir={run}", f"--init_from={ring_run}", *params(given)
    )
    assert done.exit_code == 2
    assert done.err.count("\n") == 1
    assert tf.strings.regex_full_match(done.err.strip(), f".*{message}.*")
    assert not run.exists()


def test_no_checkpoint_is_refused_at_once(command, params, tmp_path):
    other = tmp_path / "other"
    done = command(
        "train", RING, f"--run_dir={tmp_path}/run", f"--init_from={other}", *params()
    )
    assert done.exit_code == 2
    assert "holds no checkpoint" in done.err
    assert str(other) in done.err


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    train, command, params, ring_run, tmp_path
):
    other, run = tmp_path / "other", tmp_path / "run"
    shutil.copytree(ring_run, other)
    (data,) = (other / "checkpoints").glob("ckpt-4/state.data-*")
    data.write_bytes(data.read_bytes()[:-1])
    flags = (RING, f"--run_dir={run}", f"--init_from={other}", *params(total_steps=1))
    out = train(*flags)
    assert f"the checkpoint of step 4 of {other} is damaged" in out
    assert "after 2 steps" in out
    for step in (0, 2):
        (data,) = (other / "checkpoints").glob(f"ckpt-{step}/state.data-*")
        data.write_bytes(b"")
    done = command("train", *flags, "--restart", "--noprogress")
    assert done.exit_code == 3
    assert "holds no checkpoint that is whole" in done.err
    assert (run / "checkpoints" / "ckpt-1").exists()
