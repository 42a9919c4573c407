import itertools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import batch, manifest
from logan_tf.data.image_records import ImageRecords
from logan_tf.data.preparation import writing
from logan_tf.errors import BadDataError, ConfigurationError

NUM = 30


@pytest.fixture(scope="module")
def folder(make_pictures, prepared, tmp_path_factory):
    """Pictures of two classes in several files, a few held out."""
    root = tmp_path_factory.mktemp("records")
    images = make_pictures(root / "images", NUM)
    prepared.run(images, root / "out", test_share=0.2)
    return root / "out"


@pytest.fixture
def copied(folder, tmp_path):
    """To be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def _numbers(images):
    """Which of the made up pictures these are."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        images = np.rint((images + 1) * 127.5).astype(np.uint8)
    assert (images == images[:, :1, :1]).all()
    assert (images[..., 2] == 100).all()
    return images[:, 0, 0, 0].tolist()


def test_it_is_what_was_prepared(folder):
    dataset = ImageRecords(str(folder))
    assert (dataset.shape, dataset.num_classes) == ((4, 4, 3), 2)
    assert dataset.class_names == ["cat", "dog"]
    everything = []
    for split in ("train", "test"):
        images, labels = dataset.arrays(split)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
        numbers = _numbers(images)
        assert [number % 2 for number in numbers] == labels.tolist()
        parts = list(dataset.ordered(split))
        unread = list(ImageRecords(str(folder)).ordered(split))
        for found in (parts, unread):
            images_again, labels_again = map(np.concatenate, zip(*found, strict=True))
            np.testing.assert_array_equal(images_again, images)
            np.testing.assert_array_equal(labels_again, labels)
        everything += numbers
    assert sorted(everything) == list(range(NUM))


@pytest.mark.parametrize("limit", [0, 2**30])
def test_each_picture_comes_once_an_epoch(limit, folder):
    dataset = ImageRecords(str(folder), limit=limit, shuffle_buffer=5)
    num = len(dataset.arrays("train")[0])
    pipeline = iter(dataset.examples(seed=(0, 0), first=0, count=num))
    orders = []
    for _ in range(2):
        images, labels = next(pipeline)
        numbers = _numbers(images)
        assert [number % 2 for number in numbers] == labels.numpy().tolist()
        assert sorted(numbers) == sorted(_numbers(dataset.arrays("train")[0]))
        orders.append(numbers)
    assert orders[0] != orders[1]
    assert dataset.find_damage() is None


def test_a_resume_and_the_parts_of_hosts_are_the_same_batches(folder):
    dataset = ImageRecords(str(folder), flip=True, limit=0, shuffle_buffer=5)
    settings = {"batch_size": 8, "latent_dim": 2, "seed": 3, "images_per_step": 2}

    def take(num, **more):
        pipeline = batch.batches(dataset, **settings | more)
        return list(itertools.islice(pipeline, num))

    whole = take(4)
    for expected, found in zip(whole[2:], take(2, first_step=2), strict=True):
        np.testing.assert_array_equal(expected.images, found.images)
        np.testing.assert_array_equal(expected.labels, found.labels)
    hosts = [take(4, part=batch.Part(host, 2)) for host in range(2)]
    for expected, *parts in zip(whole, *hosts, strict=True):
        found = np.concatenate([part.images for part in parts])
        np.testing.assert_array_equal(expected.images, found)


@pytest.mark.parametrize("limit", [0, 2**30])
def test_flip_mirrors_half_of_them(limit, prepared, tmp_path):
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(64):
        noise = rng.integers(0, 256, (2, 2, 3), np.uint8)
        path = tmp_path / "images" / f"{number}.png"
        path.write_bytes(tf.io.encode_png(noise).numpy())
    prepared.run(tmp_path / "images", tmp_path / "out", size=2)
    dataset = ImageRecords(str(tmp_path / "out"), flip=True, limit=limit)
    known = {x.tobytes(): x for x in dataset.arrays("train")[0]}
    images, labels = next(iter(dataset.examples(seed=(0, 0), first=0, count=64)))
    drawn = np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)
    upright = [x.tobytes() in known for x in drawn]
    assert all(
        x.tobytes() in known or x[:, ::-1].copy().tobytes() in known for x in drawn
    )
    assert 16 < sum(upright) < 48  # 4 standard deviations.
    assert (dataset.num_classes, dataset.class_names) == (0, None)
    assert set(labels.numpy()) == {0}


def test_the_identity_is_the_pictures_not_the_place(folder, copied, prepared, tmp_path):
    one = ImageRecords(str(folder)).identity
    assert "train 4x4x3 central square, area" in one
    assert ImageRecords(str(copied)).identity == one
    flipped = ImageRecords(str(folder), flip=True).identity
    assert flipped == f"{one}, mirrored at random to train on"
    images = folder.parent / "images"
    prepared.run(images, tmp_path / "other", size=5, test_share=0.2)
    prepared.run(images, tmp_path / "all")
    others = {ImageRecords(str(tmp_path / x)).identity for x in ("other", "all")}
    assert len({one, flipped, *others}) == 4


def test_given_sizes_and_classes_ask_no_folder():
    elsewhere = ImageRecords("no/such/folder", 8, num_classes=3)
    assert (elsewhere.shape, elsewhere.num_classes) == ((8, 8, 3), 3)
    assert elsewhere.class_names is None
    with pytest.raises(ConfigurationError, match="there is no folder no/such/folder"):
        elsewhere.arrays("train")
    unknown = ImageRecords(None, 8)  # As a dry run may have it.
    assert (unknown.shape, unknown.num_classes) == ((8, 8, 3), 0)
    with pytest.raises(ConfigurationError, match="set data_dir to what bin/prepare"):
        unknown.arrays("train")


def _edit(copied, **fields):
    path = copied / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def _splits(copied):
    return json.loads((copied / "dataset.json").read_text())["splits"]


def _refused(path, match, error=ConfigurationError, **settings):
    dataset = ImageRecords(str(path), **settings)
    with pytest.raises(error, match=match) as caught:
        dataset.examples(seed=(0, 0), first=0, count=1)
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused(folder):
    _refused(folder, "4 pixels, not 8: set image_size = 4", size=8)
    _refused(folder, "2 classes, and ImageRecords.num_classes is 3", num_classes=3)
    for wrong in ({"size": 0}, {"channels": 4}, {"shuffle_buffer": 0}):
        with pytest.raises(ConfigurationError):
            ImageRecords(str(folder), **wrong)
    with pytest.raises(ConfigurationError, match="'train' or 'test', not 'valid'"):
        ImageRecords(str(folder)).arrays("valid")


def test_gray_is_the_luminance(folder):
    color, gray = ImageRecords(str(folder)), ImageRecords(str(folder), channels=1)
    assert gray.shape == (4, 4, 1)
    assert gray.identity == f"{color.identity}, gray"
    (images, labels), (grays, same) = color.arrays("test"), gray.arrays("test")
    luminance = images @ [0.2989, 0.587, 0.114]
    np.testing.assert_allclose(grays[..., 0], luminance, atol=1)
    np.testing.assert_array_equal(labels, same)
    (ordered, _), *_ = gray.ordered("test")
    np.testing.assert_array_equal(ordered, grays[: len(ordered)])


def test_a_step_of_more_pictures_than_there_are_is_refused(folder):
    for limit in (0, 2**30):
        with pytest.raises(
            ConfigurationError, match=r"takes 31 examples .* lower batch"
        ):
            ImageRecords(str(folder), limit=limit).examples(
                seed=(0, 0), first=0, count=31
            )


def test_without_held_out_pictures_says_so(make_pictures, prepared, tmp_path):
    images = make_pictures(tmp_path / "images", 2, ())
    prepared.run(images, tmp_path / "out")
    for use in ("arrays", "ordered"):
        with pytest.raises(ConfigurationError, match=r"'test' .* empty.*--test_share"):
            list(getattr(ImageRecords(str(tmp_path / "out")), use)("test"))


def test_a_folder_without_a_manifest_is_no_data_set(copied):
    (copied / "dataset.json").unlink()
    _refused(copied, "has no dataset.json: make a data set with bin/prepare")
    (copied / "unfinished").mkdir()
    _refused(copied, "is unfinished: give the same command bin/prepare again")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", '{"format": "logan_tf_images/1"}', "\xff"),
        "[" * 10_000 + "]" * 10_000,
        '{"format": ' * 10_000,
    ],
)
def test_a_garbled_manifest_is_bad_data(text, copied):
    (copied / "dataset.json").write_bytes(text.encode("latin-1"))
    _refused(copied, "dataset.json cannot be read", BadDataError)


def test_inconsistent_manifests_are_bad_data(copied):
    for wrong in (
        {"size": "4"},
        {"size": True},
        {"size": 0},
        {"size": 10**9},
        {"identity": 7},
        {"identity": ["a"]},
        {"class_names": [0, 1]},
        {"class_names": "ab"},
        {"settings": [["size", 4]]},
        {"splits": []},
        {"skipped": -1},
        {"class_names": None},
        {"splits": {"train": _splits(copied)["train"]}},
    ):
        text = (copied / "dataset.json").read_text()
        _edit(copied, **wrong)
        _refused(copied, "dataset.json cannot be read", BadDataError)
        (copied / "dataset.json").write_text(text)
    splits = _splits(copied)
    splits["train"]["class_counts"][0] += 1
    _edit(copied, splits=splits)
    _refused(copied, "dataset.json cannot be read", BadDataError)


@pytest.mark.parametrize("name", ["../records.tfrecord", 7, None])
def test_a_manifest_names_no_file_outside_of_its_folder(name, copied):
    splits = _splits(copied)
    splits["train"]["files"][0]["name"] = name
    _edit(copied, splits=splits)
    _refused(copied, "dataset.json cannot be read", BadDataError)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_is_no_name_of_a_file_is_a_missing_file(name, copied):
    splits = _splits(copied)
    splits["train"]["files"][0]["name"] = name
    _edit(copied, splits=splits)
    _refused(copied, "is missing", BadDataError)


def test_more_pictures_than_the_files_have_room_for_are_refused(copied):
    splits = _splits(copied)
    splits["train"]["files"][0]["examples"] += 10**12
    splits["train"]["class_counts"][0] += 10**12
    _edit(copied, splits=splits)
    _refused(copied, "dataset.json cannot be read", BadDataError)


@pytest.mark.parametrize("limit", [0, 2**30])
@pytest.mark.parametrize("difference", [1, -1])
def test_other_numbers_of_pictures_than_the_files_hold_are_refused(
    difference, limit, copied
):
    splits = _splits(copied)
    splits["train"]["files"][0]["examples"] += difference
    splits["train"]["class_counts"][0] += difference
    _edit(copied, splits=splits)
    there = splits["train"]["files"][0]["examples"] - difference
    message = f"is damaged, or dataset.json is .{there} pictures there"
    _refused(copied, message, BadDataError, limit=limit)


@pytest.mark.parametrize("key", ["examples", "bytes", "sha256"])
@pytest.mark.parametrize("value", [None, [7], -1, 0.5])
def test_files_are_described_by_values_of_their_types(key, value, copied):
    splits = _splits(copied)
    splits["train"]["files"][0][key] = value
    _edit(copied, splits=splits)
    with pytest.raises((BadDataError, ConfigurationError)):
        manifest.read(copied)


def test_another_format_is_refused(copied):
    _edit(copied, format="logan_tf_images/2")
    _refused(copied, "'logan_tf_images/2', not 'logan_tf_images/1': prepare")


def test_labels_without_a_class_are_refused(copied):
    _edit(copied, class_names=["cat"])
    _refused(copied, "labels 0 to 1 and 1 class_names")


def _first_file(copied):
    return copied / _splits(copied)["train"]["files"][0]["name"]


def test_missing_and_cut_files_are_found_at_once(copied):
    path = _first_file(copied)
    os.truncate(path, path.stat().st_size - 3)
    _refused(copied, f"{path} is damaged", BadDataError)
    path.unlink()
    _refused(copied, f"{path} is missing", BadDataError)
    path.symlink_to("/dev/zero")  # Has no size, and no end.
    splits = _splits(copied)
    splits["train"]["files"][0] |= {"bytes": 0, "examples": 0}
    num = sum(file["examples"] for file in splits["train"]["files"])
    splits["train"]["class_counts"] = [num, 0]
    _edit(copied, splits=splits)
    _refused(copied, f"{path} is missing", BadDataError)


def _flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[20] ^= 4  # Of the first record's content: all lengths are in order.
    path.write_bytes(content)


def _foreign(path):
    """Whole records of something else, as long as the file was."""
    size = path.stat().st_size
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"x" * (size - 16))
    assert path.stat().st_size == size


def _garbage(path):
    path.write_bytes(b"\x07" * path.stat().st_size)


@pytest.mark.parametrize("damage", [_flip_a_bit, _foreign, _garbage])
def test_damaged_files_are_named(damage, copied):
    path = _first_file(copied)
    damage(path)
    with pytest.raises(BadDataError, match=f"{path} is damaged"):
        ImageRecords(str(copied)).arrays("train")
    streamed = ImageRecords(str(copied), limit=0)
    if damage is not _flip_a_bit:
        with pytest.raises(BadDataError, match=f"{path} is damaged"):
            batch.batches(streamed, batch_size=8, latent_dim=2, seed=0)
        return
    pipeline = iter(batch.batches(streamed, batch_size=8, latent_dim=2, seed=0))
    with pytest.raises(tf.errors.OpError) as caught:
        list(itertools.islice(pipeline, 9))
    with pytest.raises(BadDataError, match=f"{path} has damaged or missing records"):
        batch.require_intact(streamed, caught.value)


def test_a_label_that_no_class_has_is_refused(copied):
    """As a file could have it that its manifest does not describe."""
    found = manifest.read(copied)
    dataset = ImageRecords(str(copied))
    dataset._manifest = found
    dataset._given_classes = 1
    with pytest.raises(
        ConfigurationError, match="1 is a label of none of the 1 classes"
    ):
        dataset.arrays("train")


@pytest.mark.parametrize("label", [-1, 2, 2**32 + 1])
def test_a_streamed_label_without_a_class_is_refused_in_one_line(label, copied):
    """Whatever the file holds, and it is not taken for a damaged one."""
    with tf.io.TFRecordWriter(str(_first_file(copied))) as writer:
        png = tf.io.encode_png(np.zeros((4, 4, 3), np.uint8)).numpy()
        for wrong in (0, 1, label):
            writer.write(writing.record(writing.Picture(b"", png, wrong, False)))
    splits = _splits(copied)
    _describe_first(copied, splits, counts=[2, 1])
    _edit(copied, splits=splits)
    dataset = ImageRecords(str(copied), limit=0)
    pipeline = batch.batches(dataset, batch_size=3, latent_dim=2, seed=0)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        next(iter(pipeline))
    with pytest.raises(ConfigurationError) as refused:
        batch.require_intact(dataset, caught.value)
    assert str(refused.value) == (
        f"{label} is a label of none of the 2 classes of the training data: use "
        "another split, or correct num_classes"
    )
    with pytest.raises(ConfigurationError, match=f"{label} is a label of none of"):
        ImageRecords(str(copied)).arrays("train")


def _describe_first(copied, splits, counts):
    """Lets the manifest have this file alone to train on."""
    path = _first_file(copied)
    file = splits["train"]["files"][0] | {"examples": sum(counts)}
    file |= {"bytes": path.stat().st_size, "sha256": manifest.checksum(path)}
    splits["train"] = {"class_counts": counts, "files": [file]}
