"""bin/doctor: what it finds, what it mends, and what it leaves alone."""

import shutil

import pytest

from logan_tf import atomic_file
from logan_tf.runs import run_lock

RING = "--gin_file=ring_logan"
HALF = f"{atomic_file.PREFIX}ckpt-6-abc"


@pytest.fixture
def run(ring_run, tmp_path):
    """A copy of a run with checkpoints at the steps 0, 2 and 4."""
    return shutil.copytree(ring_run, tmp_path / "run")


def files(run) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file()
    }


def test_a_sound_run(command, run):
    before = files(run)
    done = command("doctor", f"--run_dir={run}")
    assert (done.exit_code, done.err) == (0, "")
    assert f"{run}: ring_logan" in done.out
    assert "steps 0, 2, 4: whole" in done.out
    assert "4 lines to step 4" in done.out
    assert "total_steps 4, batch_size 4, seed 0" in done.out
    assert f"bin/train --run_dir={run} resumes at step 4" in done.out
    assert "!" not in done.out
    assert files(run) == before


def break_things(run) -> None:
    data = run / "checkpoints" / "ckpt-4" / "state.data-00000-of-00001"
    flipped = bytearray(data.read_bytes())
    flipped[100] ^= 4
    data.write_bytes(flipped)
    (run / "checkpoints" / HALF).mkdir()
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join([lines[0], "}{", *lines[1:], "{"]))


def test_what_is_broken_is_named_and_mended(command, train, run, ring_run, same_run):
    break_things(run)
    broken = files(run)
    done = command("doctor", f"--run_dir={run}", "--norepair")
    assert (done.exit_code, done.err) == (0, "")
    assert "! step 4 is damaged: " in done.out
    assert "set_aside" not in done.out
    assert "! 2 garbled lines\n" in done.out
    assert f"{HALF} is being written or was left behind" in done.out
    assert files(run) == broken

    done = command("doctor", f"--run_dir={run}")
    assert (done.exit_code, done.err) == (0, "")
    assert f"its files are in {run}/checkpoints/set_aside now" in done.out
    assert f"! removed {HALF}" in done.out
    assert "! 2 garbled lines: removed" in done.out
    assert "resumes at step 2" in done.out
    again = command("doctor", f"--run_dir={run}")
    assert "!" not in again.out

    assert "resumed at step 2" in train(f"--run_dir={run}")
    same_run(run, ring_run, 4)


def test_a_run_that_is_in_use_is_only_looked_at(command, run):
    break_things(run)
    with run_lock.held(run):
        broken = files(run)
        done = command("doctor", f"--run_dir={run}")
        assert done.exit_code == 0
        assert "in use" in done.out
        assert "looking only" in done.out
        assert files(run) == broken


def test_where_no_checkpoint_is_whole_nothing_is_moved(command, run):
    for step in (0, 2, 4):
        (run / "checkpoints" / f"ckpt-{step}" / "state.index").write_bytes(b"")
    before = files(run)
    done = command("doctor", f"--run_dir={run}")
    assert done.exit_code == 3
    (line,) = done.err.splitlines()
    assert "no checkpoint to resume from" in line
    assert done.out.count("is damaged") == 3
    assert files(run) == before
    trained = command("train", f"--run_dir={run}", "--noprogress")
    assert trained.exit_code == 3
    assert "--restart" in trained.err
    assert files(run) == before


def test_what_is_asked_of_it_has_to_be_clear(command, run, tmp_path):
    for flags, said in (
        ([], "what shall be examined"),
        ([f"--run_dir={tmp_path}"], "is not a run directory"),
    ):
        done = command("doctor", *flags)
        assert done.exit_code == 2, flags
        (line,) = done.err.splitlines()
        assert said in line


def test_a_broken_configuration_is_reported(command, run):
    (run / "config.gin").write_text("# Recipe: mine\nbatch_sise = 3\n")
    done = command("doctor", f"--run_dir={run}")
    assert done.exit_code == 0
    assert "! " in done.out
    assert "did you mean 'batch_size'" in done.out


def test_a_failed_step_is_repeated(command, params, tmp_path):
    run = tmp_path / "run"
    flags = params(
        {"LatentRule.regularizer_weight": 1e38, "natural_gradient_step.step_size": 1e10}
    )
    done = command("train", RING, f"--run_dir={run}", *flags, "--noprogress")
    assert done.exit_code == 4
    (line,) = done.err.splitlines()
    (bundle, *_) = sorted((run / "failures").iterdir())
    assert len(list((run / "failures").iterdir())) == 4
    last = f"{bundle.parent}/step-00000001-attempt-3"
    assert f"bin/train --run_dir={last} repeats it" in line
    again = command("train", f"--run_dir={bundle}", "--noprogress")
    assert again.exit_code == 4
    assert again.err.partition("(")[0] == done.err.partition("(")[0]
    recorded = (bundle / "steps.jsonl").read_text()
    assert '"discriminator_loss": "inf"' in recorded
    assert (bundle / "failures" / bundle.name / "steps.jsonl").read_text() == recorded
