import json
import os

import pytest

from logan_tf.data.preparation import folders
from logan_tf.errors import BadDataError, ConfigurationError


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_subfolders_are_classes(tmp_path):
    _touch(tmp_path, "b/2.PNG", "b/deep/1.jpeg", "a/0.gif", "b/notes.txt", "c/d.txt")
    _touch(tmp_path, "b/.hidden.png", ".git/x.png", "README", "b/x.json")
    found = folders.find(tmp_path)
    assert found.names == ["a/0.gif", "b/2.PNG", "b/deep/1.jpeg"]
    assert (found.class_names, found.labels) == (["a", "b"], [0, 1, 1])
    assert found.ignored == {".txt": 2, ".png": 1, "README": 1, ".json": 1}


def test_a_plain_folder_has_no_classes(tmp_path):
    _touch(tmp_path, "b.png", "a.png", "sub/readme.txt")
    found = folders.find(tmp_path)
    assert (found.names, found.labels) == (["a.png", "b.png"], [0, 0])
    assert found.class_names == []


def test_links_are_followed_and_circles_end(tmp_path):
    _touch(tmp_path, "elsewhere/a.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cats").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "images")
    assert folders.find(tmp_path / "images").names == ["cats/a.png"]


def test_names_become_one_line_of_utf8():
    raw = os.fsdecode(b"b\xff\n\xc3\xa4\x1b[31m.png")
    assert folders.readable(raw) == r"b\xff\nä\x1b[31m.png"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"has no image files \(0 others\)"),
        (["a.txt", "b/c.txt"], r"has no image files \(2 others\)"),
        (["a.png", "b/c.png"], r"pictures \(a.png\) beside folders of pictures \(b\)"),
    ],
)
def test_folders_that_cannot_work_are_refused(names, message, tmp_path):
    _touch(tmp_path, *names)
    with pytest.raises(ConfigurationError, match=message):
        folders.find(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    _touch(tmp_path, "file.png")
    for path in (tmp_path / "none", tmp_path / "file.png"):
        with pytest.raises(ConfigurationError, match="there is no folder"):
            folders.find(path)


def test_folders_without_a_picture_are_said(tmp_path):
    _touch(tmp_path, "0_cat/a.png", "2_dog/a.png", "notes/a.txt")
    (tmp_path / "1_cow").mkdir()
    found = folders.find(tmp_path)
    assert found.class_names == ["0_cat", "2_dog"]
    (note,) = found.notes
    assert note == "2 folders without a picture, no class and no number: first 1_cow"


def test_a_plain_folder_and_ordinary_classes_need_no_note(tmp_path):
    _touch(tmp_path, "plain/a.png", "plain/sub/a.txt", "classes/a/0.png")
    _touch(tmp_path, "classes/b/0.png", "classes/.git/0.txt")
    for name in ("plain", "classes"):
        assert folders.find(tmp_path / name).notes == ()


@pytest.mark.parametrize(
    "names", [("train",), ("train", "val"), ("Test", "cars", "Train"), ("validation",)]
)
def test_splits_are_no_classes(names, tmp_path):
    _touch(tmp_path, *(f"{name}/cat/a.png" for name in names))
    with pytest.raises(ConfigurationError, match="are splits, not classes: give one"):
        folders.find(tmp_path)


def test_one_class_of_several_may_have_the_name_of_a_split(tmp_path):
    _touch(tmp_path, "car/a.png", "train/a.png")
    assert folders.find(tmp_path).class_names == ["car", "train"]


def test_numbered_folders_are_classes_and_said_to_be(tmp_path):
    _touch(tmp_path, "00000/a.png", "00001/a.png")
    found = folders.find(tmp_path)
    assert found.labels == [0, 1]
    (note,) = found.notes
    assert "00000 to 00001 are taken for classes" in note


def _labeled(tmp_path, text):
    _touch(tmp_path, "00000/a.png", "00000/b.png", "00001/c.png")
    (tmp_path / "dataset.json").write_text(text)


LABELS = [["00000/a.png", 2], ["00001/c.png", 0], ["00000/b.png", 0]]


def test_labels_of_stylegan_are_the_classes(tmp_path):
    _labeled(tmp_path, json.dumps({"labels": [*LABELS, ["00002/gone.png", 9]]}))
    found = folders.find(tmp_path)
    assert found.names == ["00000/a.png", "00000/b.png", "00001/c.png"]
    assert (found.labels, found.class_names) == ([2, 0, 0], ["0", "1", "2"])
    assert (found.notes, found.ignored) == ((), {})
    _labeled(tmp_path, '{"labels": null}')
    found = folders.find(tmp_path)
    assert (found.labels, found.class_names, found.notes) == ([0, 0, 0], [], ())
    _labeled(tmp_path, '{"license": "CC0"}')
    assert folders.find(tmp_path).class_names == ["00000", "00001"]


@pytest.mark.parametrize(
    "labels",
    [
        LABELS[1:],
        [*LABELS[1:], ["00000/a.png", -1]],
        [*LABELS[1:], ["00000/a.png", 2**40]],
        [*LABELS[1:], ["00000/a.png", True]],
        [*LABELS[1:], ["00000/a.png", [0.5, 0.5]]],
    ],
)
def test_a_picture_without_a_number_of_a_class_is_refused(labels, tmp_path):
    _labeled(tmp_path, json.dumps({"labels": labels}))
    with pytest.raises(ConfigurationError, match=r"no class number for 00000/a.png"):
        folders.find(tmp_path)


@pytest.mark.parametrize("text", ["", "[" * 10_000, '{"labels": 7}', "7"])
def test_garbled_labels_are_bad_data(text, tmp_path):
    _labeled(tmp_path, text)
    with pytest.raises(BadDataError, match=r"dataset.json cannot be read"):
        folders.find(tmp_path)


def test_a_folder_under_two_names_is_refused(tmp_path):
    _touch(tmp_path, "a/0.png")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ConfigurationError, match=r"b and .*a are one folder") as caught:
        folders.find(tmp_path)
    assert "\n" not in str(caught.value)
