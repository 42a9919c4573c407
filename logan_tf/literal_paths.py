"""Paths for TensorFlow's readers, which take some characters for wildcards.

They look for a checkpoint by a pattern, a SavedModel's variables too: what lies in a
folder named `run[1]` was written there and would not be found.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_WILDCARDS = frozenset("*?[]\\")


@contextlib.contextmanager
def literal(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """A path of the folder without wildcards, to read from within the block.

    Where the folder's own path has some, it is that of a link among the system's
    temporary files.

    Raises:
      OSError: the link cannot be made.
    """
    if not _WILDCARDS & set(os.fspath(folder)):
        yield Path(folder)
        return
    usual = tempfile.gettempdir()
    place = "/tmp" if _WILDCARDS & set(usual) else usual
    with tempfile.TemporaryDirectory(prefix="logan_tf-", dir=place) as temporary:
        link = Path(temporary, "folder")
        link.symlink_to(Path(folder).resolve(), target_is_directory=True)
        yield link
