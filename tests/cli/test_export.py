"""bin/export, and bin/sample of what it made."""

import json
import shutil

import numpy as np
import pytest


@pytest.fixture(scope="module")
def exported(command, digits_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model"
    done = command("export", f"--run_dir={digits_run}", f"--output={path}")
    assert (done.exit_code, done.err) == (0, "")
    assert "\nstep 4 as a SavedModel of " in done.out
    return path


@pytest.fixture(scope="module")
def sampled(command, tmp_path_factory):
    """(source flag, ending, flags) -> the file's bytes or arrays."""
    folder = tmp_path_factory.mktemp("sampled")

    def sample(source: str, ending: str, *flags: str):
        path = folder / f"samples{ending}"
        done = command("sample", source, f"--output={path}", *flags)
        assert (done.exit_code, done.err) == (0, "")
        assert f"of step 4: {path}" in done.out
        if ending == ".png":
            return path.read_bytes()
        with np.load(path) as file:
            return dict(file)

    return sample


def assert_alike(one: dict, other: dict) -> None:
    assert set(one) == set(other)
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


@pytest.mark.parametrize(
    "flags",
    [
        ["--num=5"],
        ["--num=6", "--truncation=0.4", "--latent_steps=2", "--seed=3"],
        ["--num=6", "--interpolate=3", "--latent_steps=1"],
    ],
)
def test_an_export_samples_as_its_run(flags, sampled, exported, digits_run):
    of_run = sampled(f"--run_dir={digits_run}", ".npz", *flags)
    assert_alike(of_run, sampled(f"--saved_model={exported}", ".npz", *flags))


def test_grids_are_alike_and_rows_hold_a_line_each(
    sampled, exported, digits_run, monkeypatch
):
    of_run = sampled(f"--run_dir={digits_run}", ".png", "--num=4")
    assert sampled(f"--saved_model={exported}", ".png", "--num=4") == of_run
    from logan_tf.plots import pictures

    columns, save = [], pictures.save_grid
    monkeypatch.setattr(
        pictures,
        "save_grid",
        lambda *args, **rest: columns.append(args[2]) or save(*args, **rest),
    )
    flags = ["--num=6", "--interpolate=3"]
    sources = f"--run_dir={digits_run}", f"--saved_model={exported}"
    one, other = (sampled(source, ".png", *flags) for source in sources)
    assert one == other
    assert columns == [3, 3]


def test_points_are_drawn_over_their_modes(command, sampled, ring_run):
    done = command("export", f"--run_dir={ring_run}")
    assert (done.exit_code, done.err) == (0, "")
    path = ring_run / "saved_model"
    assert str(path) in done.out
    for ending, same in ((".png", lambda a, b: a == b), (".npz", assert_alike)):
        sources = f"--run_dir={ring_run}", f"--saved_model={path}"
        one, other = (sampled(source, ending, "--num=9") for source in sources)
        assert same(one, other) in (True, None)
    shutil.rmtree(path)  # the run is other tests' too


def test_the_receipt_is_that_of_an_evaluation(command, exported, digits_run):
    receipt = json.loads((exported / "assets/receipt.json").read_text())
    done = command("evaluate", f"--run_dir={digits_run}", "--num_samples=20")
    with open(done.out.splitlines()[-1], encoding="utf-8") as file:
        evaluated = json.load(file)["receipt"]
    names = [
        *("recipe", "checkpoint_step", "checkpoint_hash", "latent_steps"),
        *("truncation", "standing_batches", "standing_batch_size", "standing_seed"),
    ]
    assert {name: receipt[name] for name in names} == {
        name: evaluated[name] for name in names
    }
    assert receipt["versions"]["tensorflow"]
    names = (exported / "assets/class_names.txt").read_text().splitlines()
    assert names == [str(digit) for digit in range(10)]


def test_an_export_is_replaced_by_that_of_another_checkpoint(
    command, digits_run, tmp_path
):
    path = tmp_path / "model"
    flags = [f"--run_dir={digits_run}", f"--output={path}"]
    for step in (2, 4):
        done = command("export", *flags, f"--checkpoint={step}", "--nodiscriminator")
        assert (done.exit_code, done.err) == (0, "")
        receipt = json.loads((path / "assets/receipt.json").read_text())
        assert (receipt["checkpoint_step"], receipt["discriminator"]) == (step, False)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


@pytest.fixture
def refused(command):
    def run(*arguments: str) -> str:
        done = command(*arguments)
        assert done.exit_code == 2
        assert done.err.startswith("error: ")
        assert len(done.err.splitlines()) == 1
        return done.err

    return run


def test_other_folders_are_neither_overwritten_nor_loaded(
    refused, digits_run, exported, tmp_path
):
    (tmp_path / "mine").write_text("precious")
    error = refused("export", f"--run_dir={digits_run}", f"--output={tmp_path}")
    assert "no SavedModel of bin/export" in error
    assert (tmp_path / "mine").read_text() == "precious"
    output = f"--output={tmp_path}/grid.png"
    for path in (tmp_path, tmp_path / "none", digits_run):
        error = refused("sample", f"--saved_model={path}", output)
        assert "no SavedModel of bin/export" in error
    both = f"--run_dir={digits_run}", f"--saved_model={exported}"
    assert "without --run_dir" in refused("sample", *both, output)
    assert "which run?" in refused("export")
    bad = "--truncation=0"
    assert "truncation" in refused("export", f"--run_dir={digits_run}", bad)


def test_rows_that_do_not_fit_are_refused(refused, digits_run, exported, tmp_path):
    flags = [f"--output={tmp_path}/grid.png", "--interpolate=5"]
    for source in (f"--run_dir={digits_run}", f"--saved_model={exported}"):
        assert "rows of 5" in refused("sample", source, *flags)


def test_a_film_of_the_training(command, refused, digits_run, ring_run, tmp_path):
    from PIL import Image

    path = tmp_path / "training.gif"
    done = command("sample", f"--run_dir={digits_run}", f"--output={path}")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == f"3 pictures up to step 4: {path}\n"
    with Image.open(path) as film:
        assert film.n_frames == 3
    output = f"--output={path}"
    assert "too few" in refused("sample", f"--run_dir={ring_run}", output)
    assert "give its --run_dir" in refused("sample", output)
