import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import logan_tf
from logan_tf.errors import ConfigurationError

KNOBS = {"total_steps": 2, "log_every": 1, "batch_size": 8, "sample_every": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two steps of LOGAN on the ring."""
    folder = tmp_path_factory.mktemp("runs") / "ring"
    return logan_tf.train("ring_logan", run_dir=folder, progress=False, **KNOBS)


def test_it_says_what_it_is(run):
    assert repr(run) == f"<ring_logan in {run.path}, step 2>"


def test_to_open_one_prints_nothing(run, capsys):
    logan_tf.load(run.path).sample(1)
    assert capsys.readouterr().out == ""


def test_it_samples_what_the_command_does(run, command, tmp_path):
    output = tmp_path / "samples.npz"
    command(
        "sample", f"--run_dir={run.path}", f"--output={output}", "--num=5", "--seed=3"
    )
    np.testing.assert_array_equal(run.sample(5, seed=3), np.load(output)["images"])


def test_its_metrics_are_those_that_were_logged(run):
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert list(run.metrics.index) == [1, 2]
    assert list(run.metrics["delta_z_norm"]) == [row["delta_z_norm"] for row in rows]


def test_a_run_without_lines_has_no_metrics(run, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "copy")
    (copy / "metrics.jsonl").unlink()
    assert logan_tf.load(copy).metrics.empty


def test_it_is_judged_with_a_receipt(run):
    found = run.evaluate(num_samples=50, seed=1)
    assert (found.receipt.num_samples, found.receipt.checkpoint_step) == (50, 2)
    assert 0 <= found.metrics["modes"]["value"] <= 8
    name = "step-00000002-seed1-samples50.json"
    written = json.loads((run.path / "evaluations" / name).read_text())
    assert written["metrics"] == found.metrics


def test_it_shows_a_picture(run):
    picture = run.show(16)
    assert picture.mode == "RGB"
    assert len(np.unique(np.asarray(picture))) > 10


def test_each_of_several_runs_keeps_its_own_configuration(run, tmp_path):
    """gin is asked for the step's size when sampling is traced, long after loading."""
    bolder = shutil.copytree(run.path, tmp_path / "bolder")
    config = (bolder / "config.gin").read_text()
    small = next(x for x in config.splitlines() if "step.step_size" in x)
    large = "natural_gradient_step.step_size = 5.0"
    (bolder / "config.gin").write_text(config.replace(small, large))
    alone = logan_tf.load(bolder).sample(4, latent_steps=1)
    one, other = logan_tf.load(run.path), logan_tf.load(bolder)
    first = one.sample(4, latent_steps=1)
    np.testing.assert_array_equal(other.sample(4, latent_steps=1), alone)
    assert np.abs(first - alone).max() > 1e-3


def test_the_same_call_goes_on(run, capsys):
    again = logan_tf.train("ring_logan", run_dir=run.path, progress=False, **KNOBS)
    assert again.step == 2
    assert "tracing" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num": 0}, "at least 1"),
        ({"num": "4"}, "num is '4'"),
        ({"num": 2**31}, "num is"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"latent_steps": -1}, "latent_steps is -1"),
        ({"truncation": 0.0}, "truncation"),
        ({"labels": [0]}, "not class-conditional"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message, run):
    with pytest.raises(ConfigurationError, match=message):
        run.sample(**{"num": 1} | arguments)


@pytest.mark.parametrize("arguments", [{"num_samples": 0}, {"num_seeds": 0}])
def test_what_cannot_be_judged_is_refused(arguments, run):
    with pytest.raises(ConfigurationError, match=f"{next(iter(arguments))} must be 1"):
        run.evaluate(**arguments)


def test_something_else_is_not_overwritten_by_an_export(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="no SavedModel"):
        run.export(tmp_path)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"total_stepz": 3}, "did you mean 'total_steps'"),
        ({"total_steps": "3"}, "total_steps must be int"),
        ({"total_steps": {3}}, "total_steps is a set"),
    ],
)
def test_a_wrong_knob_is_refused_before_anything_is_made(knobs, message, tmp_path):
    with pytest.raises(ConfigurationError, match=message):
        logan_tf.train("ring_logan", run_dir=tmp_path / "run", **knobs)
    assert not (tmp_path / "run").exists()


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="not a run directory"):
        logan_tf.load(tmp_path)


def test_numbers_of_numpy_and_paths_are_values(tmp_path):
    from logan_tf.api.training_runs import _literal

    assert _literal("total_steps", np.int64(3)) == "3"
    assert _literal("data_dir", tmp_path) == repr(str(tmp_path))


def test_importing_the_package_imports_no_library():
    """Nor do its names, until they are used."""
    script = (
        "import sys, logan_tf; assert {'load', 'train', 'LOGAN'} <= set(dir(logan_tf));"
        "assert not {'tensorflow', 'numpy', 'gin', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.slow
def test_pictures_are_drawn_and_exported(tmp_path, data_dir):
    knobs = KNOBS | {"width": 4, "data_dir": data_dir}
    run = logan_tf.train("digits_logan", run_dir=tmp_path / "run", **knobs)
    images = run.sample(6, truncation=0.5)
    assert (images.shape, images.dtype) == ((6, 16, 16, 1), np.uint8)
    assert run.show(4).size[0] > 100
    exported = run.export()
    assert exported == run.path / "saved_model"
    assert (exported / "saved_model.pb").is_file()


def test_fewer_steps_than_there_are_change_nothing(run, capsys):
    before = (run.path / "config.gin").read_bytes()
    fewer = KNOBS | {"total_steps": 1, "generator_rate": 0.5}
    again = logan_tf.train("ring_logan", run_dir=run.path, progress=False, **fewer)
    assert again.step == 2
    assert "nothing to train: the run has 2 steps" in capsys.readouterr().out
    assert (run.path / "config.gin").read_bytes() == before
