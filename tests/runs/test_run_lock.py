"""One writer a run directory, also over processes that die."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from logan_tf.errors import ConfigurationError
from logan_tf.runs import run_lock

HOLD = textwrap.dedent(
    """
    import pathlib, sys, time
    from logan_tf.runs import run_lock
    with run_lock.held(pathlib.Path(sys.argv[1])):
        print("held", flush=True)
        time.sleep(60)
    """
)


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_refused_and_the_first_named(other, tmp_path):
    assert f"process {other.pid} on " in run_lock.holder(tmp_path)
    with pytest.raises(ConfigurationError) as caught, run_lock.held(tmp_path):
        pass
    assert f"{tmp_path} is in use by process {other.pid} on " in str(caught.value)
    assert "--run_dir" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_lock_of_a_killed_process_is_reclaimed(other, tmp_path):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / "lock").exists()
    assert run_lock.holder(tmp_path) is None
    with run_lock.held(tmp_path):
        assert f"process {os.getpid()} on " in run_lock.holder(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_has_room_for_a_lock(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_lock.os, "write", full)
    with run_lock.held(tmp_path):
        assert run_lock.holder(tmp_path) == "another process"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", ["", "garbled {", "[]", '{"pid": 1}'])
def test_a_lock_file_nobody_holds_is_no_lock(content, tmp_path):
    (tmp_path / "lock").write_text(content)
    with (
        run_lock.held(tmp_path),
        pytest.raises(ConfigurationError),
        run_lock.held(tmp_path),
    ):
        pass
    assert run_lock.holder(tmp_path) is None


def test_who_opened_the_file_before_it_was_removed_tries_again(tmp_path, monkeypatch):
    """The one race: the file that was locked is not the one that others open now."""
    lock = run_lock._try_lock

    def slow(file):
        monkeypatch.setattr(run_lock, "_try_lock", lock)
        (tmp_path / "lock").unlink()  # As the first writer does when it is done.
        return lock(file)

    monkeypatch.setattr(run_lock, "_try_lock", slow)
    with run_lock.held(tmp_path):
        assert (tmp_path / "lock").exists()
        with pytest.raises(ConfigurationError), run_lock.held(tmp_path):
            pass


def test_it_is_released_after_an_error(tmp_path):
    with pytest.raises(KeyError), run_lock.held(tmp_path):
        raise KeyError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_costs_a_warning(
    number, tmp_path, monkeypatch, capsys
):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with run_lock.held(tmp_path):
        assert (tmp_path / "lock").read_text().startswith("{")
        assert run_lock.holder(tmp_path) is None
    assert os.listdir(tmp_path) == []
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path} lies on a file system without locks" in line
    assert os.strerror(number) in line


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_lock_file_is_refused_untouched(kind, tmp_path):
    thesis, lock = tmp_path / "thesis.txt", tmp_path / "run" / "lock"
    lock.parent.mkdir()
    thesis.write_text("years of work")
    if kind == "link":
        lock.symlink_to(thesis)
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    assert run_lock.holder(lock.parent) is None
    with (
        pytest.raises(ConfigurationError, match="lock is no regular file: remove it"),
        run_lock.held(lock.parent),
    ):
        pass
    assert thesis.read_text() == "years of work"
