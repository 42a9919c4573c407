"""Standard output and error that end no command: whoever read them may have gone."""

import errno
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO


def open_missing() -> None:
    """Opens what `>&-` closed, lest a file that is opened next take its number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest number that is free.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


class Screen:
    """A stream of text that loses what cannot be written, and remembers why.

    Attributes:
      error: the first; None while all went well.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Writes, or drops, some text."""
        self._attempt(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Puts what was written where it belongs."""
        self._attempt(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def is_lost(self) -> bool:
        """Whether something was lost that somebody waits for: no reader left first."""
        return self.error is not None and self.error.errno != errno.EPIPE

    def _attempt(self, do: Callable[..., object], *arguments: str) -> None:
        try:
            do(*arguments)
        except OSError as error:
            self.error = self.error or error
            # What is left in its buffer would fail again as the process ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
