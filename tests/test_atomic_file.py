import errno
import os
import stat
import time

import pytest

from logan_tf import atomic_file


def test_replaces_the_file_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "file"
    with atomic_file.replacing(path) as file:
        file.write(b"first")
        assert not path.exists()
    with atomic_file.replacing(path) as file:
        file.write(b"second")
        file.flush()
        assert path.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["file"]


def test_an_exception_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted():
        with atomic_file.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_of_writing_says_where(tmp_path):
    """A write's own error names no file, and a full disk is of one."""

    def full() -> None:
        with atomic_file.replacing(tmp_path / "file"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*/file'"):
        full()


def test_permissions_follow_the_umask(tmp_path):
    previous = os.umask(0o027)
    try:
        with atomic_file.replacing(tmp_path / "file"):
            pass
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_folder_is_replaced_whole_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder"
    with atomic_file.replacing_folder(path) as temporary:
        (temporary / "a").write_text("first")
        assert not path.exists()
    with atomic_file.replacing_folder(path) as temporary:
        (temporary / "b").write_text("second")
        assert [file.name for file in path.iterdir()] == ["a"]
    assert [file.name for file in path.iterdir()] == ["b"]
    assert os.listdir(path.parent) == ["folder"]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_folder_is_as_it_was_after_an_error(error, there, tmp_path):
    path = tmp_path / "folder"
    if there:
        path.mkdir()
        (path / "a").write_text("first")

    def fail() -> None:
        with atomic_file.replacing_folder(path) as temporary:
            (temporary / "a").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == (["folder"] if there else [])
    assert not there or (path / "a").read_text() == "first"


def test_a_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "a").write_text("first")
    with (
        pytest.raises(FileNotFoundError),
        atomic_file.replacing_folder(path) as temporary,
    ):
        temporary.rmdir()
    assert (path / "a").read_text() == "first"
    assert os.listdir(tmp_path) == ["folder"]


def test_what_a_kill_left_goes_once_it_is_old(tmp_path):
    for name, age in (
        (f"{atomic_file.PREFIX}folder-old", 4000),
        (f"{atomic_file.PREFIX}folder-young", 100),
        (f"{atomic_file.PREFIX}other-x", 4000),
        (".folder.mine", 4000),
    ):
        (tmp_path / name).mkdir()
        then = time.time() - age
        os.utime(tmp_path / name, (then, then))
    with atomic_file.replacing_folder(tmp_path / "folder"):
        pass
    assert sorted(os.listdir(tmp_path)) == [
        ".folder.mine",
        f"{atomic_file.PREFIX}folder-young",
        f"{atomic_file.PREFIX}other-x",
        "folder",
    ]


def test_a_folder_is_removed(tmp_path):
    path = tmp_path / "folder"
    (path / "below").mkdir(parents=True)
    atomic_file.remove_folder(path)
    assert os.listdir(tmp_path) == []
