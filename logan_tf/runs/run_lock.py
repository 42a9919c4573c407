"""One writer a run directory.

Imports no TensorFlow: a second writer is refused before anything is built.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from logan_tf import small_files
from logan_tf.errors import ConfigurationError

_NAME = "lock"
_MOST = 1000  # characters of it


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """Holds the lock of a run directory, which the block alone then writes to.

    The operating system releases the lock of a process that dies, however it dies, so
    a lock file that was left behind locks nobody out. On a file system without locks
    (some Lustre, NFS and FUSE mounts) a warning says so, and the block runs.

    Args:
      directory: of the run; exists and can be written to.

    Raises:
      ConfigurationError: if another process holds it; it is named.
    """
    file = _locked(directory / _NAME)
    try:
        yield
    finally:
        # Removed while it is held: who opened it meanwhile finds that out and retries.
        with contextlib.suppress(OSError):
            os.unlink(directory / _NAME)
        file.close()


def holder(directory: Path) -> str | None:
    """Who writes to a run directory at the moment, in words; None if nobody does."""
    try:
        with _opened(directory / _NAME) as file:
            return None if _try_lock(file) else _described(file)
    except (OSError, ConfigurationError):
        return None


def _locked(path: Path) -> TextIO:
    while True:
        file = _opened(path, os.O_CREAT)
        try:
            is_free = _try_lock(file)
        except OSError as error:
            print(
                f"warning: {path.parent} lies on a file system without locks "
                f"({error.strerror}): nothing keeps a second process from writing "
                "there too",
                file=sys.stderr,
            )
            break
        if not is_free:
            who = _described(file)
            file.close()
            raise ConfigurationError(
                f"{path.parent} is in use by {who}: wait for it, stop it, or choose "
                "another --run_dir"
            )
        if _is_at(file, path):
            break
        file.close()
    file.truncate(0)
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "started": started}
    # It is held without these words too: bin/doctor may make room on a full disk.
    with contextlib.suppress(OSError):
        os.write(file.fileno(), json.dumps(owner).encode())
    return file


def _opened(path: Path, flags: int = 0) -> TextIO:
    """A lock file; no link, whose target would be emptied, and no pipe."""
    try:
        descriptor = os.open(
            path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o666
        )
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return open(descriptor, "r+", encoding="utf-8")
        os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
    raise ConfigurationError(f"{path} is no regular file: remove it")


def _try_lock(file: TextIO) -> bool:
    """Whether it is locked now; OSError: there are no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: TextIO, path: Path) -> bool:
    """Whether the locked file is still the one that others would open."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def _described(file: TextIO) -> str:
    try:
        file.seek(0)
        owner = small_files.parse(file.read(_MOST))
        return f"process {owner['pid']} on {owner['host']} (since {owner['started']})"
    except small_files.GARBLED:
        return "another process"
