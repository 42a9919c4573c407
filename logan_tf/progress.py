"""How far a command is: a bar on a terminal, a line a minute in a log."""

import sys
from typing import Any

from tqdm import tqdm

_SECONDS_PER_LINE = 60.0


def bar(**options: Any) -> tqdm:
    """Shows what is counted, on the standard error.

    What takes less than a minute leaves no line in a log.

    Args:
      **options: total, initial, unit, desc and others of `tqdm`'s.
    """
    if sys.stderr.isatty():
        return tqdm(dynamic_ncols=True, **options)
    seconds = {"delay": _SECONDS_PER_LINE, "mininterval": _SECONDS_PER_LINE}
    return _Lines(**options | seconds | {"miniters": 1, "leave": False, "ncols": 88})


class _Lines(tqdm):
    """A bar's states one below the other: a log has no carriage to return."""

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        if text := str(self) if msg is None else msg:
            self.fp.write(f"{text}\n")
            self.fp.flush()
