"""What memory has room for: a process that asks for more is killed without a word."""

import contextlib
import re
from pathlib import Path

from logan_tf.errors import ConfigurationError

_MACHINE = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def available() -> float:
    """Bytes that a process can still get; infinity where the system does not say."""
    found = float("inf")
    with contextlib.suppress(OSError, ValueError):
        match = re.search(r"MemAvailable:\s+(\d+) kB", _MACHINE.read_text("ascii"))
        found = 1024.0 * int(match[1]) if match else found
    with contextlib.suppress(OSError, ValueError):  # No number is no limit.
        found = min(found, float(_CONTAINER.read_text("ascii")))
    return found


def require(num_bytes: float, what: str, remedy: str) -> None:
    """Raises ConfigurationError where `what` takes more than there is."""
    there = available()
    if num_bytes > there:
        raise ConfigurationError(
            f"{what} would take {num_bytes / 2**30:,.1f} GiB, and {there / 2**30:,.1f} "
            f"GiB of memory are left: {remedy}"
        )
