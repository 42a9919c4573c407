"""Files that may be anything: read only where they are plain, and not too large.

Of somebody else's folder anything may come: a pipe that reading waits on, a device
without an end, JSON nested so deeply that Python gives up, NaN, text for numbers.
"""

import contextlib
import errno
import json
import os
import stat
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NoReturn

import numpy as np

from logan_tf import host_memory

MOST_BYTES = 64 * 2**20

GARBLED = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What reading a file raises that is none, or that holds something else."""


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to read from within the block.

    Raises:
      OSError: there is none that can be read, or it is a folder, a pipe or a device.
    """
    # Else opening a pipe would wait for somebody who writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_bytes(path: str | os.PathLike[str], most: int = MOST_BYTES) -> bytes:
    """All of a file.

    Raises:
      OSError: it cannot be read, as of `opened`, or has more than `most` bytes.
    """
    with opened(path) as file:
        contents = file.read(most + 1)
    if len(contents) > most:
        cause = f"it has more than {most:,} bytes"
        raise OSError(errno.EFBIG, cause, os.fspath(path))
    return contents


def read_text(
    path: str | os.PathLike[str], errors: str = "strict", most: int = MOST_BYTES
) -> str:
    """All of a file of UTF-8; `errors` as of `bytes.decode`.

    Raises:
      OSError, ValueError: it cannot be read, as of `read_bytes`, or is no text.
    """
    return read_bytes(path, most).decode("utf-8", errors)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays of an .npz, by name.

    Nothing in it is executed, and what memory cannot hold is not begun: a file of some
    megabytes can be one of terabytes, compressed.

    Raises:
      Exception: whatever NumPy and zipfile say of what is no .npz of numbers.
    """
    with opened(path) as file, np.load(file, allow_pickle=False) as arrays:
        size = sum(member.file_size for member in arrays.zip.infolist())
        if size > host_memory.available():
            raise ValueError(f"its arrays would take {size / 2**30:,.1f} GiB")
        return {name: arrays[name] for name in arrays.files}


def read_json(path: str | os.PathLike[str]) -> Any:
    """The value that a file of JSON holds.

    Raises:
      OSError, ValueError: it cannot be read, as of `read_bytes`, or is no JSON.
    """
    return parse(read_text(path))


def parse(text: str | bytes) -> Any:
    """The value of JSON; ValueError for none, or one with NaN or without an end."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def require_kinds(fields: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Raises for a field that is missing or of another kind.

    Args:
      fields: what JSON had.
      kinds: by name, a type or a union of types. A float may be written without a
        point; numbers are finite, and True is none.

    Raises:
      KeyError, TypeError, ValueError: as the names say.
    """
    for name, kind in kinds.items():
        value, allowed = fields[name], typing.get_args(kind) or (kind,)
        as_float = float in allowed and type(value) is int
        if type(value) not in allowed and not as_float:
            raise TypeError(f"{name} is {str(value)[:40]!r}")
        if type(value) in (int, float):
            require_numbers([value])


def require_numbers(values: Sequence[Any]) -> None:
    """Raises TypeError or ValueError for a value that is no finite number."""
    for value in values:
        if type(value) not in (int, float):
            raise TypeError(f"{str(value)[:40]!r} is no number")
        if not abs(value) <= sys.float_info.max:  # NaN is below nothing.
            raise ValueError("a number is not finite")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
