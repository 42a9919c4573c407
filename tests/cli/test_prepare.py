"""bin/prepare: what it says, and how it exits."""

import json
import os
import shlex
import signal
import time

import pytest
from PIL import Image

from logan_tf.cli.running import lifecycle
from logan_tf.configuration import bindings, recipe
from logan_tf.data import manifest
from logan_tf.data.image_records import ImageRecords
from logan_tf.data.preparation.writing import Preparation
from logan_tf.runs import run_lock


@pytest.fixture(scope="module")
def images(make_pictures, tmp_path_factory):
    folder = make_pictures(tmp_path_factory.mktemp("images"), 20)
    (folder / "cat" / "broken.png").write_bytes(b"x")
    (folder / "cat" / "notes.txt").write_text("x")
    return folder


@pytest.fixture
def prepare(command, images, tmp_path):
    def run(*flags, **others):
        settings = {"images": images, "output": tmp_path / "out", "size": 4} | others
        named = [f"--{k}={v}" for k, v in settings.items() if v is not None]
        return command("prepare", *named, *flags)

    return run


def refused(result, *parts, exit_code=2):
    assert result.exit_code == exit_code
    (line,) = result.err.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


def test_a_folder_becomes_a_data_set(prepare, images, tmp_path):
    out = tmp_path / "out"
    result = prepare("--test_share=0.3", "--shards=2")
    assert (result.exit_code, result.err) == (0, "")
    found = manifest.read(out)
    train, test = (found.splits[split].examples for split in manifest.SPLITS)
    assert train + test == 20
    lines = result.out.splitlines()
    assert lines[0] == (
        f"{images}: 21 pictures in 2 classes; ignored: 1 other file (1 .txt)"
    )
    assert f"{out}: {train} pictures of 4x4 to train on, {test} held out; " in lines[1]
    assert lines[2] == f"1 picture set aside, unusable: {out / 'skipped.txt'} says why"
    assert lines[3] == (
        "next: a recipe of your own for 4x4 pictures that includes parts/images.gin, "
        f"with data_dir = {str(out)!r}"
    )
    assert len(lines) == 4
    assert not (out / "lock").exists()
    assert ImageRecords(str(out)).arrays("train")[0].shape == (train, 4, 4, 3)

    again = prepare("--test_share=0.3", "--shards=2")
    assert (again.exit_code, again.err) == (0, "")
    assert f"{out} is complete, nothing is left to do" in again.out
    refused(prepare("--shards=2"), "test_share 0.3, not 0.0", "another --output")
    refused(prepare("--test_share=0.3", "--shards=2", size=8), "size 4, not 8")


def test_enlarged_pictures_and_empty_classes_are_said(prepare, make_pictures, tmp_path):
    images = make_pictures(tmp_path / "images", 2)
    (images / "dog" / "001.png").write_bytes(b"x")
    result = prepare(images=images, size=16)
    assert result.exit_code == 0
    assert "1 picture enlarged, for being smaller" in result.out
    assert "1 class without a picture, first dog" in result.out
    # The command that it ends with trains on them.
    _, name, *flags = shlex.split(result.out.splitlines()[-1].removeprefix("next: "))
    params = [flag.removeprefix("--gin_param=") for flag in flags]
    gin_file = name.removeprefix("--gin_file=")
    bindings.apply(recipe.read([gin_file], [*params, "width = 8"], []), [])
    dataset = lifecycle.build().experiment.dataset
    assert (dataset.shape, dataset.num_classes) == ((16, 16, 3), 2)


@pytest.mark.parametrize(("size", "start"), [(48, "next: "), (32, "on a laptop: ")])
def test_small_sizes_train_on_a_laptop(size, start, prepare, make_pictures, tmp_path):
    images = make_pictures(tmp_path / "images", 2, ())
    lines = prepare(images=images, size=size).out.splitlines()
    (line,) = (each for each in lines if each.startswith(start))
    _, name, *flags = shlex.split(line.removeprefix(start))
    assert name == "--gin_file=gin/images_small.gin"
    params = [flag.removeprefix("--gin_param=") for flag in flags]
    bindings.apply(recipe.read(["images_small"], [*params, "width = 2"], []), [])
    run = lifecycle.build()
    assert run.experiment.dataset.shape == (size, size, 3)
    assert run.evaluator.protocol.plotted[0] == "fid_random"


def test_stylegan_s_labels_and_what_looks_like_it_without(prepare, tmp_path):
    images = tmp_path / "images"
    for number in range(4):
        path = images / f"0000{number // 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
    result = prepare(images=images)
    assert "00000 to 00001 are taken for classes" in result.out.splitlines()[1]
    labels = [[f"0000{number // 2}/{number}.png", number % 3] for number in range(4)]
    (images / "dataset.json").write_text(json.dumps({"labels": labels}))
    refused(prepare(images=images), "other pictures than are in the folder now")
    assert prepare(images=images, output=tmp_path / "labeled").exit_code == 0
    found, labels = ImageRecords(str(tmp_path / "labeled")).arrays("train")
    assert (found[:, 0, 0, 0] % 3 == labels).all()


def test_a_tfds_data_set_is_written_once(prepare, data_dir, tmp_path):
    result = prepare(
        "--tfds=digits", f"--data_dir={data_dir}", "--shards=3", images=None, size=8
    )
    assert (result.exit_code, result.err) == (0, "")
    assert "1,442 pictures of 8x8 to train on, 355 held out" in result.out
    dataset = ImageRecords(str(tmp_path / "out"))
    assert dataset.class_names == list("0123456789")
    refused(
        prepare("--tfds=digist", images=None, output=tmp_path / "b"), "did you mean"
    )


def test_a_tilde_is_the_home_folder(prepare, images, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").symlink_to(images)
    assert prepare(images="~/photos", output="~/out").exit_code == 0
    assert ImageRecords("~/out").arrays("train")[0].shape == (20, 4, 4, 3)
    refused(prepare(images="~/photos", output="~/photos/out"), "is inside of --images")
    flags = ("--tfds=digits", "--data_dir=~/data", "--test_split=")
    assert prepare(*flags, images=None, output="~/digits").exit_code == 0
    assert (tmp_path / "data" / "digits").is_dir()
    assert manifest.read(tmp_path / "digits").splits["train"].examples == 1442


@pytest.mark.parametrize(
    ("flags", "others", "parts"),
    [
        ([], {"images": None}, ["--images=DIR", "--tfds"]),
        (["--tfds=digits"], {}, ["--images=DIR", "--tfds"]),
        (["--split=test"], {}, ["--split is for --tfds"]),
        (["--tfds=digits", "--test_share=.1"], {"images": None}, ["is for --images"]),
        ([], {"output": None}, ["--output=DIR"]),
        ([], {"size": None}, ["--size is None", "--size=128"]),
        ([], {"size": 0}, ["--size is 0", "1 to 4096"]),
        ([], {"size": 5000}, ["--size is 5000"]),
        ([], {"size": "big"}, ["size", "--help"]),
        (["--test_share=1"], {}, ["--test_share is 1.0", "below 1"]),
        (["--test_share=nan"], {}, ["--test_share is nan"]),
        (["--test_share=.9999999"], {}, ["holds out all 21 pictures"]),
        (["--shards=0"], {}, ["--shards must be 1 or more"]),
        (["--max_pixels=0"], {}, ["--max_pixels must be 1 or more"]),
        ([], {"images": "no/such"}, ["there is no folder no/such", "--images=DIR"]),
    ],
)
def test_mistakes_are_one_line(flags, others, parts, prepare, tmp_path):
    refused(prepare(*flags, **others), *parts)
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_folders_that_cannot_work_are_one_line(prepare, images, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(prepare(images=tmp_path / "empty"), "has no image files")
    mixed = tmp_path / "mixed"
    (mixed / "cat").mkdir(parents=True)
    for name in ("a.png", "cat/b.png"):
        (mixed / name).write_bytes(b"x")
    refused(prepare(images=mixed), "a.png", "beside folders of pictures (cat)")
    refused(prepare(output=images / "out"), "is inside of --images")
    (tmp_path / "file").write_text("")
    refused(prepare(output=tmp_path / "file" / "out"), "cannot be written to")
    refused(prepare(output=tmp_path / "file"), "cannot be written to")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.tex").write_text("")
    refused(prepare(output=tmp_path / "thesis"), "not empty (a.tex)")


def test_when_no_picture_is_left_it_is_bad_data(prepare, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"x")
    refused(prepare(images=tmp_path / "images"), "none of the 1", exit_code=3)


def test_damage_of_a_finished_folder_is_bad_data(prepare, tmp_path):
    prepare()
    (path,) = (tmp_path / "out").glob("train*")
    path.write_bytes(b"")
    refused(prepare(), f"{path} is damaged", exit_code=3)


def test_a_second_process_is_refused(prepare, tmp_path):
    (tmp_path / "out").mkdir()
    with run_lock.held(tmp_path / "out"):
        refused(prepare(), f"in use by process {os.getpid()}", "another --output")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_and_the_command_goes_on(
    number, prepare, tmp_path, make_pictures, monkeypatch
):
    images, out = make_pictures(tmp_path / "images", 100), tmp_path / "out"
    write, sent = Preparation._write, []

    def write_and_signal(self, *arguments):
        note = write(self, *arguments)
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
            time.sleep(10)  # Which the signal cuts short.
        return note

    monkeypatch.setattr(Preparation, "_write", write_and_signal)
    # A shell starts what runs in its background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = prepare("--shards=100", images=images)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sent
    assert result.exit_code == 42
    assert result.err == "interrupted: the same command goes on\n"
    assert not (out / "dataset.json").exists()
    assert prepare("--shards=100", images=images).exit_code == 0
    assert manifest.read(out).splits["train"].examples == 100


def test_a_recipe_names_the_folder(prepare, tmp_path):
    """images.gin beside a network's part, in the place of another data set's."""
    assert prepare("--test_share=0.1", size=16).exit_code == 0
    mine = tmp_path / "mine.gin"
    mine.write_text(
        "include 'parts/run.gin'\ninclude 'parts/sngan.gin'\n"
        "include 'parts/images.gin'\nimage_size = 16\nwidth = 2\nlatent_dim = 2\n"
        "total_steps = 2\nbatch_size = 2\n"
    )
    folder = f"data_dir = {str(tmp_path / 'out')!r}"
    bindings.apply(recipe.read([str(mine)], [folder], []), [])
    batch = next(iter(lifecycle.build().experiment.batches()))
    assert batch.images.shape == (2, 1, 16, 16, 3)


@pytest.mark.parametrize("name", ["imagenet", "images"])
def test_the_parts_are_read(name):
    includes = [f"parts/{part}" for part in ("run", "sngan", name)]
    read = recipe.read(includes, ["total_steps = 1"], [])
    assert "flip" in read.macros()
