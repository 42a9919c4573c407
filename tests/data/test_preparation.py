import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from logan_tf.data import image_files, manifest, pictures, preparation, sources
from logan_tf.data.preparation import planned_files
from logan_tf.errors import BadDataError, ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


@hypothesis.given(
    train=st.integers(1, 5000),
    test=st.integers(0, 5000),
    shards=st.none() | st.integers(1, 70),
)
def test_the_files_hold_each_picture_once(train, test, shards):
    files = planned_files({"train": train, "test": test}, shards)
    for split, num in (("train", train), ("test", test)):
        own = [file for file in files if file.split == split]
        numbers = [n for file in own for n in range(file.start, file.stop)]
        assert numbers == list(range(num))
        lengths = {file.stop - file.start for file in own} or {1}
        assert min(lengths) > 0
        assert max(lengths) - min(lengths) <= 1
        last = f"{split}-{len(own) - 1:05d}-of-{len(own):05d}.tfrecord"
        assert not own or own[-1].name == last
    assert len({file.name for file in files}) == len(files)
    assert shards is None or len(files) <= shards + 1


@pytest.fixture(scope="module")
def images(make_pictures, tmp_path_factory):
    """Twelve pictures, and two files that are none."""
    folder = make_pictures(tmp_path_factory.mktemp("images"))
    (folder / "cat" / "broken.png").write_bytes(b"x")
    (folder / "dog" / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def whole(images, prepared, tmp_path_factory):
    """The data set, made without any interruption."""
    folder = tmp_path_factory.mktemp("prepared") / "whole"
    prepared.run(images, folder, test_share=0.3)
    return folder


def _records(folder, file):
    for record in tf.data.TFRecordDataset(str(folder / file.name)):
        yield tf.train.Example.FromString(record.numpy()).features.feature


def test_what_is_written(images, whole):
    found = manifest.read(whole)
    names = []
    for split, of in found.splits.items():
        seen = [0, 0]
        for file in of.files:
            assert file.sha256 == manifest.checksum(whole / file.name)
            for features in _records(whole, file):
                name = features["name"].bytes_list.value[0].decode()
                label = features["label"].int64_list.value[0]
                seen[label] += 1
                assert found.class_names[label] == name.split("/")[0]
                image = tf.io.decode_png(features["image"].bytes_list.value[0])
                number = int(name[-7:-4])
                color = (number, 255 - number, 100)
                np.testing.assert_array_equal(image, np.full((4, 4, 3), color))
                names.append((split, name))
        assert tuple(seen) == of.class_counts
    files = [str(p.relative_to(images)) for p in images.rglob("0*.png")]
    assert sorted(name for _, name in names) == sorted(files)
    assert 1 <= sum(split == "test" for split, _ in names) <= 9
    assert (found.size, found.skipped, found.enlarged) == (4, 2, 0)
    assert (whole / "skipped.txt").read_text().splitlines() == [
        "cat/broken.png\tno JPEG, PNG, GIF, BMP, TIFF, WebP or PNM, or a broken header",
        "dog/empty.jpg\tempty file",
    ]
    assert sorted(p.name for p in whole.iterdir()) == [
        "dataset.json",
        "skipped.txt",
        *(
            file.name
            for split in ("test", "train")
            for file in found.splits[split].files
        ),
    ]


def test_the_place_and_time_change_nothing(images, whole, prepared, tmp_path):
    moved = Path(shutil.copytree(images, tmp_path / "moved"))
    prepared.run(moved, tmp_path / "again", test_share=0.3)
    assert prepared.contents(tmp_path / "again") == prepared.contents(whole)


def test_other_files_do_not_change_who_is_held_out(images):
    def held_out(names):
        listing = image_files.Listing(names, [0] * len(names), [0] * len(names), [], {})
        source = sources.FolderSource(images, listing, 4, test_share=0.3)
        return {names[number] for number in source._chosen["test"]}

    names = [f"{number}.png" for number in range(1000)]
    assert 240 < len(held_out(names)) < 360  # 4 standard deviations.
    assert held_out(names[::2]) == held_out(names) & set(names[::2])


def test_pictures_are_those_of_the_imagenet_path(make_pictures, prepared, tmp_path):
    """Crop and resize are `pictures.resize`, which the TFDS classes call too."""
    folder = make_pictures(tmp_path / "images", 1, ())
    noise = np.random.default_rng(0).integers(0, 256, (23, 31, 3), np.uint8)
    (folder / "000.png").write_bytes(tf.io.encode_png(noise).numpy())
    found = prepared.run(folder, tmp_path / "out", size=7)
    (features,) = _records(tmp_path / "out", found.splits["train"].files[0])
    image = tf.io.decode_png(features["image"].bytes_list.value[0])
    np.testing.assert_array_equal(image, pictures.resize(noise, 7))


class _KilledError(BaseException):
    """As sudden as SIGKILL, but for what `finally` does."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("function", [(os, "replace"), (os, "fsync")])
def test_wherever_it_ends_it_goes_on(
    function, when, images, whole, prepared, tmp_path, monkeypatch
):
    """Ended before and after each file that moves or is flushed, one by one."""
    expected = prepared.contents(whole)
    module, name = function
    original = getattr(module, name)
    redone = []
    for moment in range(1, 100):
        calls = 0

        def killed(*args, moment=moment):
            nonlocal calls
            calls += 1
            if calls == moment and when == "before":
                raise _KilledError
            original(*args)
            if calls == moment:
                raise _KilledError

        output = tmp_path / str(moment)
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            try:
                prepared.run(images, output, test_share=0.3)
                break
            except _KilledError:
                pass
        if (output / "dataset.json").is_file():
            assert manifest.read(output).splits["train"].examples
        else:
            with pytest.raises(
                ConfigurationError, match=r"same command .* again|has no"
            ):
                manifest.read(output)
        writes = _count_writes(monkeypatch, prepared, images, output)
        redone.append(writes)
        assert prepared.contents(output) == expected
    assert len(redone) > 10
    assert redone[0] > redone[-1] == 0 if when == "after" else redone[-1] <= 1


def _count_writes(monkeypatch, prepared, images, output):
    """Goes on with the data set; how many TFRecord files that takes."""
    writes = 0
    original = preparation.Preparation._write

    def counted(self, *args):
        nonlocal writes
        writes += 1
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(preparation.Preparation, "_write", counted)
        prepared.run(images, output, test_share=0.3)
    return writes


def _killed_after_a_file(images, output, shards):
    """Runs bin/prepare until it has written another file; SIGKILL."""
    flags = (f"--images={images}", f"--output={output}", f"--shards={shards}")
    before = len(list(output.glob("*.tfrecord")))
    with subprocess.Popen(
        [str(ROOT / "bin" / "prepare"), *flags, "--size=4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        while process.poll() is None:
            if len(list(output.glob("*.tfrecord"))) > before:
                process.kill()
            time.sleep(0.001)
        said = process.communicate()[0]
    assert process.returncode == -9, said


@pytest.mark.parametrize(
    ("kills", "shards"), [(1, 50), pytest.param(10, 150, marks=pytest.mark.slow)]
)
def test_a_killed_process_is_the_one_that_never_was(
    kills, shards, make_pictures, prepared, tmp_path
):
    images, output = make_pictures(tmp_path / "images", 250), tmp_path / "out"
    for _ in range(kills):
        _killed_after_a_file(images, output, shards)
        assert (output / "lock").is_file()
        assert not (output / "dataset.json").is_file()
    noted = list((output / "unfinished").glob("*.tfrecord.json"))
    assert kills // 2 <= len(noted) < shards
    prepared.run(images, output, shards=shards)
    (output / "lock").unlink()  # bin/prepare itself would.
    prepared.run(images, tmp_path / "whole", shards=shards)
    assert prepared.contents(output) == prepared.contents(tmp_path / "whole")


def _cut(path):
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize(
    "damage",
    [
        lambda out: _cut(next(out.glob("*.tfrecord"))),
        lambda out: next(out.glob("*.tfrecord")).unlink(),
        lambda out: _cut(next((out / "unfinished").glob("*.tfrecord.json"))),
        lambda out: next((out / "unfinished").glob("*.tfrecord.json")).write_text("{}"),
    ],
)
def test_what_is_not_as_noted_is_made_again(
    damage, images, whole, prepared, tmp_path, monkeypatch
):
    def killed(self, notes):
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(preparation.Preparation, "_finish", killed)
        with pytest.raises(_KilledError):
            prepared.run(images, tmp_path / "out", test_share=0.3)
    damage(tmp_path / "out")
    assert _count_writes(monkeypatch, prepared, images, tmp_path / "out") == 1
    assert prepared.contents(tmp_path / "out") == prepared.contents(whole)


def test_a_finished_folder_is_left_alone(images, whole, prepared, tmp_path):
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    (output / "unfinished").mkdir()  # What a kill in the last moment leaves.
    before = {path: path.stat().st_mtime_ns for path in output.glob("*.tfrecord")}
    found = prepared.preparation(images, output, test_share=0.3).finished()
    assert found == manifest.read(whole)
    assert not (output / "unfinished").exists()
    assert before == {p: p.stat().st_mtime_ns for p in output.glob("*.tfrecord")}


@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"size": 8}, "made with size 4, not 8"),
        ({"test_share": 0.2}, r"made with test_share 0.3, not 0.2"),
        ({"shards": None}, "made with shards 3, not None"),
        ({"max_pixels": 9}, "made with max_pixels"),
        ("more pictures", "other pictures than are in the folder now"),
    ],
)
def test_another_data_set_is_not_mixed_in(
    other, message, is_finished, images, whole, prepared, make_pictures, tmp_path
):
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    if not is_finished:
        (output / "unfinished").mkdir()
        settings = json.dumps(manifest.read(whole).settings)
        (output / "unfinished" / "plan.json").write_text(settings)
        (output / "dataset.json").unlink()
    if other == "more pictures":
        images, other = make_pictures(tmp_path / "more", 13), {}
    settings = {"test_share": 0.3} | other
    with pytest.raises(ConfigurationError, match=f"{output} holds .*{message}"):
        prepared.preparation(images, output, **settings).finished()


def test_a_folder_of_something_else_is_refused(images, prepared, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match=r"not empty \(thesis.tex\)"):
        prepared.preparation(images, tmp_path).finished()


def test_without_a_picture_there_is_no_data_set(make_pictures, prepared, tmp_path):
    images = make_pictures(tmp_path / "images", 3, ())
    for path in images.iterdir():
        path.write_bytes(b"no picture")
    for _ in range(2):  # A second time from the notes.
        with pytest.raises(BadDataError, match=r"none of the 3 pictures .*skipped.txt"):
            prepared.run(images, tmp_path / "out")
        assert len((tmp_path / "out" / "skipped.txt").read_text().splitlines()) == 3
        assert not (tmp_path / "out" / "dataset.json").exists()


def test_a_full_disk_is_one_line_and_the_command_goes_on(
    images, whole, prepared, tmp_path, monkeypatch
):
    def full(self, record):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.TFRecordWriter, "write", full)
        with pytest.raises(BadDataError, match=r"No space left .*: make room"):
            prepared.run(images, tmp_path / "out", test_share=0.3)
    prepared.run(images, tmp_path / "out", test_share=0.3)
    assert prepared.contents(tmp_path / "out") == prepared.contents(whole)


def test_holding_all_out_is_refused(images):
    listing = image_files.Listing(["a"], [1], [0], [], {})
    with pytest.raises(ConfigurationError, match="holds out all 1 pictures"):
        sources.FolderSource(images, listing, 4, test_share=0.999999999)


def test_smaller_pictures_are_enlarged_and_counted(make_pictures, prepared, tmp_path):
    images = make_pictures(tmp_path / "images", 3, ())
    assert prepared.run(images, tmp_path / "out", size=9).enlarged == 3
