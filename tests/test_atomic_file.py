import os
import stat

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


def test_permissions_follow_the_umask(tmp_path):
    previous = os.umask(0o027)
    try:
        with atomic_file.replacing(tmp_path / "file"):
            pass
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
