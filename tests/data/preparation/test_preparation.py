import json
import shutil
import time
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from hypothesis import strategies as st

from logan_tf.data import digits_builder, manifest, pixels
from logan_tf.data.image_records import ImageRecords
from logan_tf.data.preparation import folders, image_files, sources
from logan_tf.data.preparation.writing import Preparation, planned_files
from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import BadDataError, ConfigurationError


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


def _records(folder, file):
    for record in tf.data.TFRecordDataset(str(folder / file.name)):
        yield tf.train.Example.FromString(record.numpy()).features.feature


def test_what_is_written(image_folder, whole):
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
    files = [str(p.relative_to(image_folder)) for p in image_folder.rglob("0*.png")]
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


def test_the_place_and_time_change_nothing(image_folder, whole, prepared, tmp_path):
    moved = Path(shutil.copytree(image_folder, tmp_path / "moved"))
    prepared.run(moved, tmp_path / "again", test_share=0.3)
    assert prepared.contents(tmp_path / "again") == prepared.contents(whole)


def test_other_files_do_not_change_who_is_held_out(image_folder):
    def held_out(names):
        listing = folders.Listing(names, [0] * len(names), [], {})
        source = sources.FolderSource(image_folder, listing, 4, test_share=0.3)
        return {names[number] for number in source._chosen["test"]}

    names = [f"{number}.png" for number in range(1000)]
    assert 240 < len(held_out(names)) < 360  # 4 standard deviations.
    assert held_out(names[::2]) == held_out(names) & set(names[::2])


def test_the_files_mix_the_classes(image_folder):
    """The stream reads a few files at a time."""
    names = [f"{label}/{number}" for label in "ab" for number in range(500)]
    labels = [0] * 500 + [1] * 500
    listing = folders.Listing(names, labels, ["a", "b"], {})
    chosen = sources.FolderSource(image_folder, listing, 4)._chosen["train"]
    assert sorted(chosen) == list(range(1000))
    shares = np.reshape([labels[number] for number in chosen], (10, 100)).mean(axis=1)
    assert np.abs(shares - 0.5).max() < 0.2  # 4 standard deviations.


def test_pictures_are_those_of_the_imagenet_path(make_pictures, prepared, tmp_path):
    """Crop and resize are `pixels.resize`, which the TFDS classes call too."""
    folder = make_pictures(tmp_path / "images", 1, ())
    noise = np.random.default_rng(0).integers(0, 256, (23, 31, 3), np.uint8)
    (folder / "000.png").write_bytes(tf.io.encode_png(noise).numpy())
    found = prepared.run(folder, tmp_path / "out", size=7)
    (features,) = _records(tmp_path / "out", found.splits["train"].files[0])
    image = tf.io.decode_png(features["image"].bytes_list.value[0])
    np.testing.assert_array_equal(image, pixels.resize(noise, 7))


def test_pixels_in_memory_are_bounded(make_pictures, tmp_path, monkeypatch):
    """Each thread held a picture of its own, of a gigabyte."""
    images = make_pictures(tmp_path / "images", 12, ())  # Of 80 pixels.
    monkeypatch.setattr(sources, "_num_threads", lambda: 8)
    held, most = [], []
    read, encode = image_files.read, sources._encode

    def begun(path):
        held.append(1)
        most.append(len(held))
        time.sleep(0.02)
        return read(path)

    def ended(*picture):
        done = encode(*picture)
        held.pop()
        return done

    monkeypatch.setattr(image_files, "read", begun)
    monkeypatch.setattr(sources, "_encode", ended)
    for pixels_at_once, expected in ((240, (2, 3)), (1, (1,))):
        most.clear()
        with image_files.pixel_cap(1000):
            listing = folders.find(images)
            source = sources.FolderSource(images, listing, 4, 0.0, pixels_at_once)
            found = list(source.pictures("train", 0, 12))
        assert len(found) == 12
        assert max(most) in expected


def test_a_finished_folder_is_left_alone(image_folder, whole, prepared, tmp_path):
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    (output / "unfinished").mkdir()  # What a kill in the last moment leaves.
    before = {path: path.stat().st_mtime_ns for path in output.glob("*.tfrecord")}
    found = prepared.preparation(image_folder, output, test_share=0.3).finished()
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
        ("another of the same size", "other pictures than are in the folder now"),
    ],
)
def test_another_data_set_is_not_mixed_in(
    other, message, is_finished, image_folder, whole, prepared, make_pictures, tmp_path
):
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    if not is_finished:
        (output / "unfinished").mkdir()
        settings = json.dumps(manifest.read(whole).settings)
        (output / "unfinished" / "plan.json").write_text(settings)
        (output / "dataset.json").unlink()
    if other == "more pictures":
        image_folder, other = make_pictures(tmp_path / "more", 13), {}
    if other == "another of the same size":
        image_folder, other = Path(shutil.copytree(image_folder, tmp_path / "b")), {}
        path = image_folder / "cat" / "000.png"
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    settings = {"test_share": 0.3} | other
    with pytest.raises(ConfigurationError, match=f"{output} holds .*{message}"):
        prepared.preparation(image_folder, output, **settings).finished()


def test_a_folder_of_something_else_is_refused(image_folder, prepared, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match=r"not empty \(thesis.tex\)"):
        prepared.preparation(image_folder, tmp_path).finished()


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
    image_folder, whole, prepared, tmp_path, monkeypatch
):
    def full(self, record):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.TFRecordWriter, "write", full)
        with pytest.raises(BadDataError, match=r"No space left .*: make room"):
            prepared.run(image_folder, tmp_path / "out", test_share=0.3)
    prepared.run(image_folder, tmp_path / "out", test_share=0.3)
    assert prepared.contents(tmp_path / "out") == prepared.contents(whole)


def test_tfds_is_read_in_its_own_order(tmp_path):
    """Of several files, that TFDS reads in turns unless told not to."""
    builder = digits_builder.DigitsBuilder(data_dir=str(tmp_path))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(num_shards=3)
    )
    assert builder.info.splits["train"].num_shards == 3
    source = sources.TFDSSource("digits", 8, data_dir=str(tmp_path))
    (tmp_path / "out").mkdir()
    Preparation(source, tmp_path / "out", 8, 5).run(lambda *_: None)
    direct = TFDSImages("digits", 8, data_dir=str(tmp_path))
    found = ImageRecords(str(tmp_path / "out"))
    for split in ("train", "test"):
        for a, b in zip(direct.arrays(split), found.arrays(split), strict=True):
            np.testing.assert_array_equal(a, b)


def test_holding_all_out_is_refused(image_folder):
    listing = folders.Listing(["a"], [0], [], {})
    with pytest.raises(ConfigurationError, match="holds out all 1 pictures"):
        sources.FolderSource(image_folder, listing, 4, test_share=0.999999999)


def test_smaller_pictures_are_enlarged_and_counted(make_pictures, prepared, tmp_path):
    images = make_pictures(tmp_path / "images", 3, ())
    assert prepared.run(images, tmp_path / "out", size=9).enlarged == 3
