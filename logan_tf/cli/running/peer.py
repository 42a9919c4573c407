"""Messages between processes: a line of JSON each, over a connection."""

import json
import select
import socket
import time
from typing import Any, Self

PATIENCE = 10.0  # seconds for an answer of somebody who is there
_MOST_BYTES = 2**22  # of a message


class Peer:
    """The other end of a connection: messages, a line of JSON each."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, **message: Any) -> None:
        """Raises OSError if the other end is gone."""
        self._connection.settimeout(PATIENCE)
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """A message; None if none comes in this time.

        Raises:
          OSError: if the other end is gone, or speaks of something else.
        """
        until = time.monotonic() + seconds
        while b"\n" not in self._read:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._connection], [], [], left)[0]:
                return None
            part = self._connection.recv(2**16)
            self._read += part
            if not part or len(self._read) > _MOST_BYTES:
                raise ConnectionError("closed, or no message")
        line, _, self._read = self._read.partition(b"\n")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConnectionError("no message") from error
        if not isinstance(message, dict):
            raise ConnectionError("no message")
        return message
