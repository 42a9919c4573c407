"""Small files: read only where they are plain, and not too large, and sound JSON.

Of somebody else's folder anything may come: a pipe that reading waits on, a device
without an end, JSON nested so deeply that Python gives up, NaN, text for numbers.
"""

import errno
import json
import os
import stat
import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

MOST_BYTES = 64 * 2**20

GARBLED = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What reading a file raises that is none, or that holds something else."""


def read_bytes(path: str | os.PathLike[str], most: int = MOST_BYTES) -> bytes:
    """All of a file.

    Raises:
      OSError: there is none that can be read, or it is a folder, a pipe or a device,
        or has more than `most` bytes.
    """
    # Else opening a pipe would wait for somebody who writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
        with open(descriptor, "rb", closefd=False) as file:
            contents = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(contents) > most:
        cause = f"it has more than {most:,} bytes"
        raise OSError(errno.EFBIG, cause, os.fspath(path))
    return contents


def read_text(path: str | os.PathLike[str], errors: str = "strict") -> str:
    """All of a file of UTF-8; `errors` as of `bytes.decode`.

    Raises:
      OSError, ValueError: it cannot be read, as of `read_bytes`, or is no text.
    """
    return read_bytes(path).decode("utf-8", errors)


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
