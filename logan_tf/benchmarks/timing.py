"""Repeated measurements of several things in turn, and what they amount to."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Tick = Callable[[], object]
"""Called when one unit of work is done; moves a progress bar."""


class Timing(NamedTuple):
    """Seconds: the median and the quartiles of repeated measurements."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timing":
        """Summarizes one or more measurements."""
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0], 1)
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        return cls(median, low, high, len(seconds))

    def per(self, number: float) -> "Timing":
        """The time of one part among `number` equal ones."""
        return self._replace(
            median=self.median / number, low=self.low / number, high=self.high / number
        )


def interleaved(
    calls: Mapping[str, Callable[[], object]], repeats: int, tick: Tick
) -> dict[str, Timing]:
    """Times the calls in turn, so that the machine's moods meet all of them alike.

    Args:
      calls: each returns when its work is done.
      repeats: of each; one more, the first, is not counted.
      tick: called after every call.

    Returns:
      The `Timing` of each call by its name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if repeat:
                seconds[name].append(time.perf_counter() - started)
            tick()
    return {name: Timing.of(times) for name, times in seconds.items()}
