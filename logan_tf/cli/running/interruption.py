"""Signals that ask to stop: finish what was begun, save, and exit; a second exits now.

SIGTERM, Ctrl-C, a terminal that is closed (SIGHUP), SLURM's notice (SIGUSR1) and a
limit on the processor's time (SIGXCPU).
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

from logan_tf.errors import PreemptedError

_NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGXCPU")
_ALL = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Interruption:
    """Watches for the signals that ask a process to stop.

    Inside `finishing()` a first signal is a request that somebody looks at; outside
    there is nothing to save, and it ends the process.

    Python runs a handler only when TensorFlow returns from its current call, which may
    take a minute while a step is traced; a thread that reads the signals' numbers from
    a socket sees each of them at once.

    A context manager, for the main thread; in any other it watches nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._finishing = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        # The screen, whatever becomes of the standard error while libraries load.
        self._screen = os.dup(2)
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False
        )
        self._before = self._take_signals()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._before:
            return
        for each, handler in self._before.items():
            signal.signal(each, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()
        self._thread.join()
        os.close(self._screen)

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """For the block, `requested` turns true at the first signal.

        Takes the signals again: TensorFlow's workers install a handler as they meet.
        """
        if self._before:
            self._take_signals()
        self._finishing = True
        try:
            yield
        finally:
            self._finishing = False

    def _take_signals(self) -> dict[signal.Signals, Any]:
        """Handlers of Python's that do nothing; the ones before, by signal."""
        return {each: signal.signal(each, _ignore) for each in heeded()}

    def _watch(self) -> None:
        while number := self._reader.recv(1):
            if number[0] not in _ALL:
                continue
            name = signal.Signals(number[0]).name
            if self.requested or not self._finishing:
                self._say(f"{name}: stopped")
                os._exit(PreemptedError.exit_code)
            self.requested = True
            self._say(f"{name}: saving and stopping; a second one stops at once")
        self._reader.close()

    def _say(self, line: str) -> None:
        """One line in one piece, below a progress bar."""
        with contextlib.suppress(OSError):  # The terminal may be gone.
            os.write(self._screen, f"\n{line}\n".encode())


def heeded() -> tuple[signal.Signals, ...]:
    """The signals that ask to stop; without SIGHUP where nohup has it ignored."""
    ignored = {s for s in _ALL if signal.getsignal(s) is signal.SIG_IGN}
    return tuple(s for s in _ALL if s.name != "SIGHUP" or s not in ignored)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Python's own handler; the watching thread has seen the signal already."""
