"""Checkpoints as files; TensorFlow only reads the state file, once."""

import json
import os
from pathlib import Path

import pytest
import tensorflow as tf

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.checkpoint_files import CheckpointFiles


def write(files: CheckpointFiles, step: int, **manifest) -> None:
    with files.saving(step, manifest) as path:
        for suffix in ("index", "data-00000-of-00001"):
            Path(f"{path}.{suffix}").write_text(f"{suffix} of {step}")


@pytest.fixture
def files(tmp_path) -> CheckpointFiles:
    """Three whole checkpoints."""
    made = CheckpointFiles(tmp_path / "checkpoints")
    for step in (5, 10, 20):
        write(made, step, attempt=step // 10)
    made.keep(3)
    return made


def names(files: CheckpointFiles) -> list[str]:
    return sorted(os.listdir(files.directory))


def test_what_is_there(files):
    assert files.steps() == [5, 10, 20]
    assert files.path(5) == files.directory / "ckpt-5"
    assert [files.damage(step) for step in files.steps()] == [None] * 3
    assert files.manifest(20)["attempt"] == 2
    assert files.manifest(21) == {}
    assert not files.lost()
    assert CheckpointFiles(files.directory / "none").steps() == []


def test_what_the_newest_name_is_kept(tmp_path):
    files = CheckpointFiles(tmp_path)
    best = {"metric": "fid", "value": 3.0}
    for step, named in ((1, 1), (2, 1), (3, 3), (4, 3), (5, 3), (6, 6)):
        write(files, step, best={"step": named, **best}, sound=step - 1)
        files.keep(2)
    # A run may go on from 5, whose best is 3; that of 1 and 2 went with them.
    assert files.steps() == [3, 5, 6]
    write(files, 7, best={"step": 6, **best}, sound=2)
    files.keep(2)
    assert files.steps() == [6, 7]
    assert files.named(7) == {6: "the best, fid 3"}  # and 2 is gone
    write(files, 8, best={"step": 8, **best}, sound=6)
    files.keep(1)
    assert files.steps() == [6, 8]
    assert files.named(8)[6] == "the last that was sound"


def test_the_best_checkpoint(files):
    with pytest.raises(ConfigurationError, match=r"says which checkpoint is the best"):
        files.choose("best")
    write(files, 30, best={"step": 10, "metric": "fid", "value": 3.0})
    assert files.choose("best") == [10]
    # A newer manifest that is garbled says nothing.
    (files.directory / "ckpt-40.json").write_text('{"step": 40, "files"')
    assert files.choose("best") == [10]
    assert files.choose("latest") == [40, 30, 20, 10, 5]
    assert files.choose("20") == [20]
    (files.directory / "ckpt-30.json").write_text(
        '{"step": 30, "files": {}, "best": {"stop": 10}}'
    )
    assert files.damage(30) == "ckpt-30.json is garbled"
    for path in files.directory.glob("ckpt-10.*"):
        path.unlink()
    write(files, 50, best={"step": 10, "metric": "fid", "value": 3.0})
    with pytest.raises(ConfigurationError, match="no checkpoint '10'"):
        files.choose("best")


def test_a_save_that_fails_leaves_the_others_and_nothing_else(files):
    before = names(files)

    def full(step: int) -> None:
        with files.saving(step, {}) as path:
            Path(f"{path}.index").write_text("half")
            raise OSError("full")

    for step in (20, 30):
        with pytest.raises(OSError, match="full"):
            full(step)
        assert names(files) == before
    assert files.damage(20) is None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ckpt-20.index", None, "ckpt-20.index is missing"),
        ("ckpt-20.data-00000-of-00001", None, "data-00000-of-00001 is missing"),
        ("ckpt-20.index", b"", "has 0 bytes of 11"),
        ("ckpt-20.index", b"index of 21", "checksum"),
        ("ckpt-20.data-00000-of-00001", b"data-00000-of-00001 of 2", "bytes of 25"),
        ("ckpt-20.json", b"", "ckpt-20.json is garbled"),
        ("ckpt-20.json", b"\xff\x00", "ckpt-20.json is garbled"),
        ("ckpt-20.json", b'{"step": 19, "files": {}}', "ckpt-20.json is garbled"),
        ("ckpt-20.json", b"[1, 2]", "ckpt-20.json is garbled"),
    ],
)
def test_damage_is_named(name, content, said, files):
    path = files.directory / name
    path.unlink() if content is None else path.write_bytes(content)
    assert said in files.damage(20)
    assert files.damage(10) is None
    assert files.steps() == [5, 10, 20]


def test_a_garbled_manifest_is_bad_data(files):
    (files.directory / "ckpt-5.json").write_text("{")
    with pytest.raises(BadDataError, match=r"ckpt-5.json is garbled"):
        files.manifest(5)


def test_without_a_manifest_the_files_have_to_be_there(files):
    (files.directory / "ckpt-5.json").unlink()
    assert files.damage(5) is None
    (files.directory / "ckpt-5.data-00000-of-00001").unlink()
    assert files.damage(5) == "ckpt-5.data is missing"


def test_the_newest_are_kept(files):
    files.keep(2)
    assert files.steps() == [10, 20]
    assert [name for name in names(files) if name.startswith("ckpt-5.")] == []


def test_tensorflow_reads_the_state_file(files):
    assert files.state_is_right()
    state = tf.train.get_checkpoint_state(str(files.directory))
    assert state.model_checkpoint_path == str(files.path(20))
    assert state.all_model_checkpoint_paths == [
        str(files.path(step)) for step in (5, 10, 20)
    ]
    for content in (b"", b"\xff\xfe", b'model_checkpoint_path: "ckpt-5"\n'):
        (files.directory / "checkpoint").write_bytes(content)
        assert not files.state_is_right()
    (files.directory / "checkpoint").unlink()
    assert not files.state_is_right()
    files.write_state()
    assert files.state_is_right()
    assert CheckpointFiles(files.directory / "none").state_is_right()


def test_set_aside_and_lost(files):
    folder = files.set_aside(20)
    assert files.steps() == [5, 10]
    assert sorted(os.listdir(folder)) == [
        "ckpt-20.data-00000-of-00001",
        "ckpt-20.index",
        "ckpt-20.json",
    ]
    assert not files.lost()
    files.set_aside(5)
    files.set_aside(10)
    assert files.lost()


def test_what_a_kill_leaves_is_swept(files):
    """Killed while writing, while moving the data, while writing the manifest."""
    whole = names(files)
    folder = files.directory / ".saving-30"
    folder.mkdir()
    (folder / "ckpt-30.index").write_text("half")
    (files.directory / "ckpt-25.data-00000-of-00001").write_text("moved")
    (files.directory / ".ckpt-20.json.abc").write_text("{")
    assert sorted(files.sweep()) == [
        ".ckpt-20.json.abc",
        ".saving-30",
        "ckpt-25.data-00000-of-00001",
    ]
    assert names(files) == whole
    assert files.sweep() == []


def test_a_copy_outlives_its_original(files, tmp_path):
    files.copy(10, tmp_path / "copy")
    files.copy(10, tmp_path / "copy")
    files.keep(1)
    copy = CheckpointFiles(tmp_path / "copy")
    assert copy.steps() == [10]
    assert copy.damage(10) is None


def test_a_manifest_can_be_rewritten(files):
    files.write_manifest(files.manifest(20) | {"hooks_pending": False})
    path = files.directory / "ckpt-20.json"
    assert json.loads(path.read_text())["hooks_pending"] is False
    assert files.damage(20) is None
