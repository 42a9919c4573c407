"""Files and folders that are there whole or not at all."""

import contextlib
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PREFIX = ".logan_tf-unfinished-"
"""How the names of files and folders begin that are being written, or on their way
out; nobody else's do."""

_YOUNG = 3600.0  # seconds; what is younger may be another process's


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a temporary neighbor of `path` that takes its place when the block ends.

    After an exception `path` is as it was. The directory is made if it is missing.
    Two processes that write the same path leave one of the two whole files.

    Raises:
      OSError: the directory cannot be made or written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=PREFIX, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = os.fspath(path)  # Who writes is not told it.
        raise


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Makes a temporary neighbor of `path` that takes its place when the block ends.

    After an exception, or a kill, no half of a folder is at `path`: it is as it was,
    or, should the kill come between the two renames, not there at all. What an earlier
    kill left beside it is removed.

    Raises:
      OSError: the directory cannot be made or written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{PREFIX}{glob.escape(path.name)}-*"):
        if time.time() - left.lstat().st_mtime > _YOUNG:
            shutil.rmtree(left, ignore_errors=True)
    with _neighbor(path) as temporary:
        made, replaced = temporary / "made", temporary / "replaced"
        made.mkdir()
        yield made
        # A folder can be renamed to the name of an empty one only.
        had_one = path.exists()
        if had_one:
            path.rename(replaced)
        try:
            made.rename(path)
        except BaseException:
            if had_one:
                replaced.rename(path)
            raise


def remove_folder(path: Path) -> None:
    """Takes a folder away by one rename: after a kill it is there whole, or is not."""
    with _neighbor(path) as temporary:
        path.rename(temporary / "removed")


@contextlib.contextmanager
def _neighbor(path: Path) -> Iterator[Path]:
    """An empty folder beside another one, which goes with the block."""
    with tempfile.TemporaryDirectory(
        prefix=f"{PREFIX}{path.name}-", dir=path.parent, ignore_cleanup_errors=True
    ) as temporary:
        yield Path(temporary)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a file of UTF-8 text, whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
