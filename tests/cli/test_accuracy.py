"""bin/evaluate --accuracy_score: a conditional run's score, receipt and resumption."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from logan_tf.configuration import recipe_files
from logan_tf.runs import run_lock
from logan_tf.runs.checkpoint_files import CheckpointFiles

ROOT = recipe_files.RECIPES.parent

FAST = """
Evaluator.accuracy_score = @AccuracyScore
AccuracyScore.training = @ClassifierTraining()
ClassifierTraining.architecture = @conditional_digits.linear
ClassifierTraining.pictures = @ClassifierInput()
ClassifierTraining.optimizer = @classifier/keras.optimizers.Adam
ClassifierTraining.epochs = 4
ClassifierTraining.batch_size = 32
ClassifierTraining.learning_rate = 0.01
ClassifierInput.size = 16
"""


@pytest.fixture(scope="module")
def folder(conditional_folder):
    """With the module and the part of a recipe; on the import path."""
    (conditional_folder / "fast.gin").write_text(FAST)
    return conditional_folder


@pytest.fixture(scope="module")
def flags(folder, conditional_run):
    return [
        f"--run_dir={conditional_run}",
        "--module=conditional_digits",
        f"--gin_file={folder / 'fast.gin'}",
        "--accuracy_score",
    ]


def test_the_score_beside_that_of_real_images(command, conditional_run, flags):
    done = command("evaluate", *flags, "--real_control")
    assert (done.exit_code, done.err) == (0, "")
    path = conditional_run / "evaluations" / "step-00000001-accuracy.json"
    assert done.out.splitlines()[-1] == str(path)
    written = json.loads(path.read_text())
    receipt, metrics = written["receipt"], written["metrics"]
    for part in ("accuracy_score/1 linear 16x16x1", "epochs=4", "batch=32", "Adam()"):
        assert part in receipt["protocol"]
    assert receipt["num_samples"] == 1442
    assert receipt["reference"].startswith("digits/1.0.0 train and test 16x16x1")
    assert (receipt["subject"], receipt["checkpoint_step"]) == ("checkpoint", 1)
    assert (receipt["standing_batches"], receipt["standing_batch_size"]) == (1, 4)
    assert len(receipt["checkpoint_hash"]) == len(receipt["classifier_weights"]) == 16
    assert list(metrics) == ["top_1", "top_5"]
    assert metrics["top_1"]["value"] > 0.75
    assert len(metrics["top_5"]["classes"]) == 10
    real = json.loads((conditional_run / "evaluations/real-accuracy.json").read_text())
    assert real["receipt"]["subject"] == "real data"
    assert real["receipt"]["protocol"] == receipt["protocol"]
    assert real["receipt"]["checkpoint_hash"] is None
    assert real["metrics"]["top_1"]["value"] > 0.9
    said = [line.split(":")[0] for line in done.out.splitlines()]
    assert said[0] == "building the networks"
    assert said[1:3] == [
        "training a classifier on samples",
        "training a classifier on real images",
    ]
    header, _, row, *_ = done.out.splitlines()[4:]
    assert "step 1" in header
    assert "real data" in header
    assert row.split() == [
        "top_1",
        f"{metrics['top_1']['value']:.4g}",
        f"{real['metrics']['top_1']['value']:.4g}",
    ]
    assert not list((conditional_run / "accuracy_score").glob("*accuracy*"))


@pytest.mark.slow
def test_what_was_measured_is_not_measured_again_and_another_setting_is(
    command, conditional_run, flags
):
    path = conditional_run / "evaluations" / "step-00000001-accuracy.json"
    first = command("evaluate", *flags)
    written, when = path.read_text(), path.stat().st_mtime_ns
    again = command("evaluate", *flags)
    assert "remove it to measure again" in again.out
    assert again.out.splitlines()[-3:] == first.out.splitlines()[-3:]
    assert path.stat().st_mtime_ns == when
    epochs = "--gin_param=ClassifierTraining.epochs = 1"
    done = command("evaluate", *flags, epochs, "--truncation=0.5", "--seed=1")
    assert (done.exit_code, done.err) == (0, "")
    other = done.out.splitlines()[-1]
    assert other.endswith("step-00000001-accuracy-truncation0.5-seed1.json")
    assert path.read_text() == written
    own = Path(command("evaluate", *flags, epochs).out.splitlines()[-1])
    assert own != path
    assert "epochs=1" in own.read_text()
    assert path.read_text() == written
    again = command("evaluate", *flags, epochs)
    assert f"{own} says so already" in again.out


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        (["--num_samples=5"], "without --num_samples"),
        (["--seeds=5"], "--seeds"),
        (["--gin_param=ClassifierTraining.epochs = 0"], "epochs must be 1"),
        (["--gin_param=ClassifierTraining.epochs = 1.5"], "epochs must be int"),
        (["--gin_param=ClassifierTraining.batch_size = 2000"], "1442 training images"),
        (["--gin_param=ClassifierTraining.architecture = 'ResNet5O'"], "'ResNet50'"),
        (["--gin_param=ClassifierInput.shft = 1"], "did you mean 'shift'"),
        (["--work_dir=/proc/nowhere"], "another --work_dir"),
    ],
)
def test_what_is_refused(more, cause, command, flags):
    done = command("evaluate", *flags, *more)
    assert done.exit_code == 2
    (line,) = done.err.splitlines()
    assert cause in line


def test_runs_without_a_score(command, flags, folder, ring_run):
    part = f"--gin_file={folder / 'fast.gin'}"
    ring = [f"--run_dir={ring_run}", "--module=conditional_digits", "--accuracy_score"]
    for arguments, cause in (
        (
            [*flags, "--gin_param=conditional_digits.Generator.conditional = False"],
            "conditional one",
        ),
        ([*ring, part], "pictures"),
        (ring, "add --gin_file=parts/accuracy_digits.gin"),
    ):
        done = command("evaluate", *arguments)
        assert done.exit_code == 2
        (line,) = done.err.splitlines()
        assert cause in line
    done = command("evaluate", f"--run_dir={ring_run}", "--work_dir=x")
    assert (done.exit_code, len(done.err.splitlines())) == (2, 1)
    assert "belongs to --accuracy_score" in done.err


def test_one_process_works_in_a_folder(command, flags, tmp_path):
    with run_lock.held(tmp_path):
        done = command("evaluate", *flags, f"--work_dir={tmp_path}")
    assert done.exit_code == 2
    assert "in use by process" in done.err


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_goes_on_to_the_same_file(
    flags, conditional_run, folder, tmp_path
):
    def start(work):
        return subprocess.Popen(
            [ROOT / "bin" / "evaluate", *flags, *epochs, f"--work_dir={work}"],
            env={
                "PYTHONPATH": f"{folder}:{ROOT}",
                "PATH": f"{sys.prefix}/bin:{os.defpath}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    epochs = ["--gin_param=ClassifierTraining.epochs = 60"]
    path = conditional_run / "evaluations" / "step-00000001-accuracy.json"
    path.unlink(missing_ok=True)
    whole = start(tmp_path / "whole")
    out, _ = whole.communicate()
    assert whole.returncode == 0, out
    expected = path.read_text()
    path.unlink()
    work = tmp_path / "killed"
    checkpoints = CheckpointFiles(work / path.stem / "classifier")
    for number, sign in ((2, signal.SIGKILL), (20, signal.SIGTERM)):
        process = start(work)
        while max(checkpoints.steps(), default=0) < number:
            assert process.poll() is None, process.communicate()[0]
        process.send_signal(sign)
        process.communicate()
        assert process.returncode == (42 if sign == signal.SIGTERM else -9)
        assert not path.exists()
    last = start(work)
    out, _ = last.communicate()
    assert last.returncode == 0, out
    assert path.read_text() == expected
    shutil.rmtree(work)


@pytest.mark.slow
def test_a_residual_network_of_50_layers_reads_the_digits(
    command, flags, conditional_run
):
    """The part that is shipped; the real control says whether its number means much."""
    part = "--gin_file=parts/accuracy_digits.gin"
    flags = [part if flag.startswith("--gin_file=") else flag for flag in flags]
    done = command("evaluate", *flags, "--real_control")
    assert done.exit_code == 0, done.err  # It takes minutes, and says how far it is.
    paths = (conditional_run / "evaluations").glob("*accuracy*.json")
    written = [json.loads(path.read_text()) for path in paths]
    found, real = sorted(
        (each for each in written if "ResNet50" in each["receipt"]["protocol"]),
        key=lambda each: each["receipt"]["subject"],  # "checkpoint", "real data"
    )
    assert "ResNet50 32x32x1 nearest" in found["receipt"]["protocol"]
    assert real["metrics"]["top_1"]["value"] >= 0.95
    assert 0.5 < found["metrics"]["top_1"]["value"] < real["metrics"]["top_1"]["value"]
    print(done.out)


@pytest.mark.parametrize("part", ["digits", "cifar10", "imagenet"])
def test_the_parts_that_are_shipped_are_well_formed(part, command, flags):
    """All but the classifier is made before the generator is refused."""
    given = [f for f in flags if not f.startswith("--gin_file=")]
    given += [f"--gin_file=parts/accuracy_{part}.gin"]
    given += ["--gin_param=conditional_digits.Generator.conditional = False"]
    done = command("evaluate", *given)
    assert done.exit_code == 2
    assert "conditional one" in done.err
