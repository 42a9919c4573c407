"""Checkpoints as files, without TensorFlow."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from logan_tf import atomic_file
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.checkpoint_files import CheckpointFiles


def write(files: CheckpointFiles, step: int, **manifest) -> None:
    with files.saving(step, manifest) as path:
        for suffix in ("index", "data-00000-of-00001"):
            Path(f"{path}.{suffix}").write_text(f"{suffix} of {step}")


def manifest(files: CheckpointFiles, step: int) -> Path:
    return files.folder(step) / "manifest.json"


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
    assert files.path(5) == files.directory / "ckpt-5" / "state"
    assert sorted(os.listdir(files.folder(5))) == [
        "manifest.json",
        "state.data-00000-of-00001",
        "state.index",
    ]
    assert files.manifest(20)["attempt"] == 2
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
    assert files.choose("latest") == [30, 20, 10, 5]
    assert files.choose("20") == [20]
    # A newer manifest that is garbled says nothing.
    write(files, 40, best={"step": 20, "metric": "fid", "value": 2.0})
    manifest(files, 40).write_text('{"checksum": 1')
    assert files.choose("best") == [10]
    shutil.rmtree(files.folder(10))
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


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00", b"[1, 2]", b"{}"])
def test_a_manifest_that_is_not_what_was_written(content, files):
    path = manifest(files, 20)
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BadDataError, match=r"manifest.json is missing or garbled"):
        files.manifest(20)
    assert files.steps() == [5, 10, 20]


@pytest.mark.parametrize(
    "wrong",
    [
        "NESTED",
        {"attempt": "0"},
        {"hooks_pending": 1},
        {"sound": "20"},
        {"best": 5},
        {"best": {"step": 10}},
        {"best": {"step": "10", "metric": "fid", "value": 3.0}},
        {"best": {"step": 10, "metric": "fid", "value": None}},
    ],
)
def test_a_checksum_keeps_no_forger_out(wrong, files):
    if wrong == "NESTED":
        manifest(files, 20).write_text("[" * 100_000)
    else:
        write(files, 20, **wrong)
    with pytest.raises(BadDataError, match=r"manifest.json is missing or garbled"):
        files.manifest(20)
    assert files.best() is None


def test_no_flipped_bit_changes_what_a_manifest_says(files):
    write(files, 30, best={"step": 10, "metric": "fid", "value": 3.0}, sound=20)
    path, said = manifest(files, 30), files.manifest(30)
    whole = path.read_bytes()
    for position in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[position // 8] ^= 1 << position % 8
        path.write_bytes(flipped)
        with contextlib.suppress(BadDataError):
            assert files.manifest(30) == said


def test_the_newest_are_kept(files):
    files.keep(2)
    assert files.steps() == [10, 20]
    assert names(files) == ["ckpt-10", "ckpt-20"]


def test_set_aside(files):
    folder = files.set_aside(20)
    assert files.steps() == [5, 10]
    write(files, 20)
    assert files.set_aside(20) == folder
    assert os.listdir(folder) == ["ckpt-20"]
    assert len(os.listdir(folder / "ckpt-20")) == 3


def test_what_a_kill_leaves_is_swept(files):
    whole = names(files)
    folder = files.directory / f"{atomic_file.PREFIX}ckpt-30-abc" / "made"
    folder.mkdir(parents=True)
    (folder / "state.index").write_text("half")
    assert files.steps() == [5, 10, 20]
    assert files.sweep() == [f"{atomic_file.PREFIX}ckpt-30-abc"]
    assert names(files) == whole
    assert files.sweep() == []


def test_a_manifest_can_be_rewritten(files):
    files.write_manifest(20, {"hooks_pending": False})
    assert files.manifest(20) == {"hooks_pending": False}


def test_checkpoints_of_version_0_1_are_refused_with_its_name(tmp_path):
    """They were files beside each other, which nothing here reads or removes."""
    old = [tmp_path / f"ckpt-5.{kind}" for kind in ("index", "json", "data-0-of-1")]
    for path in old:
        path.write_text("as it was")
    files = CheckpointFiles(tmp_path)
    assert files.steps() == []
    for which in ("latest", "best", "5"):
        with pytest.raises(ConfigurationError, match=r"logan_tf 0\.1: take that vers"):
            files.choose(which)
    files.keep(1)
    assert all(path.read_text() == "as it was" for path in old)
