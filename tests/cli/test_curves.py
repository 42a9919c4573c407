"""bin/evaluate --curve and --neighbors, and --checkpoint=best of every command."""

import json
import shutil

import matplotlib.image
import pytest

from logan_tf.runs.checkpoint_files import CheckpointFiles


@pytest.fixture(scope="module")
def evaluated_run(command, params, tmp_path_factory):
    """The ring with an evaluation every two steps."""
    run = tmp_path_factory.mktemp("evaluated")
    flags = params(total_steps=4, evaluate_every=2)
    done = command(
        "train", "--gin_file=ring_logan", f"--run_dir={run}", *flags, "--noprogress"
    )
    assert (done.exit_code, done.err) == (0, "")
    return run


def refused(done, cause):
    assert done.exit_code == 2
    (line,) = done.err.splitlines()
    assert cause in line


def test_a_curve_of_latent_steps_is_taken_up_where_it_was_left(command, ring_run):
    flags = [f"--run_dir={ring_run}", "--num_samples=30", "--seed=7"]
    values = ["--curve=latent_steps", "--values=0,2,1"]
    own = command("evaluate", *flags, "--latent_steps=2")
    point = ring_run / "evaluations" / "step-00000004-latent2-seed7-samples30.json"
    assert own.out.splitlines()[-1] == str(point)
    marked = json.loads(point.read_text())
    marked["metrics"]["modes"]["value"] = 77
    point.write_text(json.dumps(marked))
    other = point.with_name("step-00000004-latent1-seed7-samples30.json")
    marked["receipt"] |= {"checkpoint_hash": "another", "latent_steps": 1}
    other.write_text(json.dumps(marked))

    done = command("evaluate", *flags, *values)
    assert (done.exit_code, done.err) == (0, "")
    path = (
        ring_run / "evaluations/step-00000004-curve-latent_steps-seed7-samples30.json"
    )
    assert done.out.splitlines()[-1] == str(path)
    curve = json.loads(path.read_text())["evaluations"]
    assert [each["receipt"]["latent_steps"] for each in curve] == [0, 1, 2]
    modes = [each["metrics"]["modes"]["value"] for each in curve]
    assert modes[2] == 77  # the same receipt: not measured again
    assert modes[1] <= 8  # another one: it was
    assert json.loads(other.read_text())["receipt"]["checkpoint_hash"] != "another"
    assert matplotlib.image.imread(path.with_suffix(".png")).size > 0
    assert "reverse_kl" in done.out
    point.unlink()


def test_a_curve_of_truncation(command, ring_run):
    flags = [f"--run_dir={ring_run}", "--num_samples=30", "--seeds=2"]
    done = command("evaluate", *flags, "--curve=truncation", "--values=.1,1")
    assert (done.exit_code, done.err) == (0, "")
    folder = ring_run / "evaluations"
    name = "step-00000004-curve-truncation-seeds2-samples30.json"
    assert done.out.splitlines()[-1] == str(folder / name)
    curve = json.loads((folder / name).read_text())["evaluations"]
    assert [each["receipt"]["truncation"] for each in curve] == [1.0, 0.1]
    assert all("interval" in each["metrics"]["modes"] for each in curve)
    assert (folder / "step-00000004-truncation0.1-seeds2-samples30.json").is_file()


def test_curves_that_cannot_be(command, ring_run, params, tmp_path):
    flags = [f"--run_dir={ring_run}"]
    for more, cause in (
        (["--curve=truncation", "--values=0"], "truncation takes numbers above 0"),
        (["--curve=truncation", "--truncation=.5"], "give --values instead"),
        (["--values=1"], "--curve=latent_steps"),
        (["--curve=seed"], "--curve"),
        (["--curve=truncation", "--neighbors=2"], "one at a time"),
        (["--neighbors=0"], "--neighbors must be 1 or more"),
        (["--neighbors=2", "--seeds=2"], "one seed"),
        (["--neighbors=2"], "nearest neighbors are those of pictures"),
    ):
        refused(command("evaluate", *flags, *more), cause)
    run = tmp_path / "baseline"
    train = ["--gin_file=ring_baseline", f"--run_dir={run}", "--noprogress"]
    assert command("train", *train, *params(total_steps=1)).exit_code == 0
    done = command("evaluate", f"--run_dir={run}", "--curve=latent_steps")
    refused(done, "1 latent steps are asked for, but the run has no latent optimizer")
    assert not (run / "evaluations").exists()


@pytest.mark.slow
def test_neighbors_of_digits(command, digits_run):
    flags = [f"--run_dir={digits_run}", "--num_samples=3", "--neighbors=4"]
    done = command("evaluate", *flags)
    assert (done.exit_code, done.err) == (0, "")
    path = digits_run / "evaluations" / "step-00000004-neighbors-samples3.json"
    assert done.out.splitlines()[-1] == str(path)
    written = json.loads(path.read_text())
    assert written["receipt"]["protocol"].endswith("k=4 of the first 1442")
    assert len(written["neighbors"]) == 3
    assert all(
        far == sorted(far) and len(far) == 4
        for far in (row["distances"] for row in written["neighbors"])
    )
    assert matplotlib.image.imread(path.with_suffix(".png")).size > 0


def test_the_best_checkpoint_of_a_run(command, evaluated_run, tmp_path):
    values = {
        step: json.loads(
            (evaluated_run / f"evaluations/step-0000000{step}.json").read_text()
        )["metrics"]["reverse_kl"]["value"]
        for step in (0, 2, 4)
    }
    best = min(values, key=lambda step: values[step])
    done = command("doctor", f"--run_dir={evaluated_run}", "--norepair")
    assert f"best           step {best}: reverse_kl" in done.out
    output = f"--output={tmp_path / 'grid.png'}"
    flags = [f"--run_dir={evaluated_run}", "--checkpoint=best"]
    assert f"of step {best}: " in command("sample", *flags, output).out
    path = command("evaluate", *flags, "--num_samples=20").out.splitlines()[-1]
    assert path.endswith(f"step-0000000{best}-samples20.json")
    copy = tmp_path / "copy"
    shutil.copytree(evaluated_run, copy)
    files = CheckpointFiles(copy / "checkpoints")
    for step in files.steps():
        files.write_manifest(step, files.manifest(step) | {"best": None})
    done = command("sample", f"--run_dir={copy}", "--checkpoint=best", output)
    refused(done, "train with evaluate_every")
