"""bin/doctor: what it finds, what it mends, and what it leaves alone."""

import shutil

import pytest

from logan_tf.cli import proof
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs import run_lock

RING = "--gin_file=ring_logan"


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
    data = run / "checkpoints" / "ckpt-4.data-00000-of-00001"
    flipped = bytearray(data.read_bytes())
    flipped[100] ^= 4
    data.write_bytes(flipped)
    (run / "checkpoints" / "checkpoint").write_bytes(b"\x00garbled")
    (run / "checkpoints" / ".saving-6").mkdir()
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join([lines[0], "}{", *lines[1:], "{"]))


def test_what_is_broken_is_named_and_mended(command, train, run, ring_run):
    break_things(run)
    broken = files(run)
    done = command("doctor", f"--run_dir={run}", "--norepair")
    assert (done.exit_code, done.err) == (0, "")
    assert "! step 4 is damaged: ckpt-4.data-00000-of-00001" in done.out
    assert "checksum differs" in done.out
    assert "set_aside" not in done.out
    assert "! 2 garbled lines\n" in done.out
    assert ".saving-6 is being written or was left behind" in done.out
    assert files(run) == broken

    done = command("doctor", f"--run_dir={run}")
    assert (done.exit_code, done.err) == (0, "")
    assert f"its files are in {run}/checkpoints/set_aside now" in done.out
    assert "checkpoint does not name the checkpoints: rebuilt from the" in done.out
    assert "! removed .saving-6" in done.out
    assert "! 2 garbled lines: removed" in done.out
    assert "resumes at step 2" in done.out
    again = command("doctor", f"--run_dir={run}")
    assert "!" not in again.out

    assert "resumed at step 2" in train(f"--run_dir={run}")
    proof._compare(proof.RunDirectory(ring_run), proof.RunDirectory(run))


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
        (run / "checkpoints" / f"ckpt-{step}.index").write_bytes(b"")
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


def test_a_checkpoint_without_a_manifest_is_read_whole(command, run):
    for step in (2, 4):
        (run / "checkpoints" / f"ckpt-{step}.json").unlink()
    data = run / "checkpoints" / "ckpt-4.data-00000-of-00001"
    data.write_bytes(bytes(len(data.read_bytes())))
    done = command("doctor", f"--run_dir={run}", "--norepair")
    assert "steps 0, 2: whole" in done.out
    assert "! step 4 is damaged" in done.out


def test_what_is_asked_of_it_has_to_be_clear(command, run, tmp_path):
    for flags, said in (
        ([], "what shall be examined"),
        ([f"--run_dir={run}", f"--replay={run}"], "what shall be examined"),
        ([f"--run_dir={tmp_path}"], "is not a run directory"),
        ([f"--replay={run}"], "is no bundle"),
        (["--prove_resume"], "needs a recipe"),
        (["--prove_resume", "--gin_file=rnig_logan"], "did you mean 'ring_logan"),
        (["--kills=-1"], "kills"),
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
    assert f"bin/doctor --replay={bundle.parent}/step-00000001-attempt-3" in line
    done = command("doctor", f"--replay={bundle}")
    assert done.exit_code == 0
    assert "discriminator_loss                   inf, repeated inf" in done.out
    assert "the step is repeated, bit for bit" in done.out
    assert "100% of discriminator/" in done.out
    (bundle / "config.gin").write_text(
        (bundle / "config.gin").read_text().replace("seed = 0", "seed = 1")
    )
    done = command("doctor", f"--replay={bundle}")
    assert done.exit_code == 3
    assert "the repetition differs in " in done.err


class TestProof:
    """The comparison finds what is not the same."""

    def runs(self, ring_run, tmp_path):
        other = shutil.copytree(ring_run, tmp_path / "other")
        return proof.RunDirectory(ring_run), proof.RunDirectory(other)

    def test_equal_runs(self, ring_run, tmp_path, capsys):
        proof._compare(*self.runs(ring_run, tmp_path))
        assert capsys.readouterr().out == (
            "the same, bit for bit: 3 hashes of all weights, 4 lines of metrics\n"
        )

    def test_other_weights(self, ring_run, tmp_path):
        whole, other = self.runs(ring_run, tmp_path)
        path = other.checkpoints / "ckpt-4.json"
        hash_ = whole.checkpoints / "ckpt-4.json"
        first = proof._hashes(whole)["2"]
        path.write_text(hash_.read_text().replace(first, "0" * 16))
        with pytest.raises(BadDataError, match="the weights of step 2 have the hash"):
            proof._compare(whole, other)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda lines: lines[:-1], "4 lines of metrics against 3"),
            (lambda lines: [*lines[:-1], lines[-1].replace("-0", "-1")], "at step 4"),
        ],
    )
    def test_other_metrics(self, change, said, ring_run, tmp_path):
        whole, other = self.runs(ring_run, tmp_path)
        lines = change(other.metrics.read_text().splitlines())
        other.metrics.write_text("\n".join(lines))
        with pytest.raises(BadDataError, match=said):
            proof._compare(whole, other)

    def test_a_run_that_fails_by_itself(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"ended with 2 \(error: .*mend"):
            proof.prove([RING, "--gin_param=seed = -1"], 1, 0, str(tmp_path))

    def test_a_folder_that_holds_a_run(self, ring_run, tmp_path):
        self.runs(ring_run, tmp_path)[1].path.rename(tmp_path / "killed")
        with pytest.raises(ConfigurationError, match="holds a run already"):
            proof.prove([RING], 1, 0, str(tmp_path))
