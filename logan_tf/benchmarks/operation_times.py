"""Where a step's time goes: the profiler's durations, summed by kind of operation.

Operations that run side by side share the cores, so the sum may exceed the step's time.
"""

import glob
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from logan_tf.errors import ConfigurationError


class Share(NamedTuple):
    """One kind of operation in one step."""

    operation: str
    number: float
    milliseconds: float
    share: float


def measure(call: Callable[[], object], repeats: int) -> list[Share]:
    """Profiles a step that has been traced and run before.

    Args:
      call: takes one step and returns when it is done.
      repeats: steps that are profiled.

    Returns:
      A `Share` for each type of operation, the longest first.

    Raises:
      ConfigurationError: if this build of TensorFlow records no operations.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(
            host_tracer_level=3, python_tracer_level=0
        )
        with tf.profiler.experimental.Profile(folder, options):
            for _ in range(repeats):
                call()
        paths = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        shares = by_type([_read(path) for path in paths], repeats)
    if not shares:
        raise ConfigurationError("TensorFlow's profiler recorded no operation here")
    return shares


def by_type(spaces: Sequence, repeats: int) -> list[Share]:
    """Sums the events named "<node>:<type>" of the profiler's files by type."""
    seconds: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for plane in (plane for space in spaces for plane in space.planes):
        for event in (event for line in plane.lines for event in line.events):
            node, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if node.rstrip(":") == node != "" and kind.lstrip("_").isalnum():
                seconds[kind] += event.duration_ps / 1e12
                numbers[kind] += 1
    whole = sum(seconds.values())
    return [
        Share(kind, numbers[kind] / repeats, 1e3 * taken / repeats, taken / whole)
        for kind, taken in seconds.most_common()
    ]


def _read(path: str) -> Any:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with open(path, "rb") as file:
        return xplane_pb2.XSpace.FromString(file.read())
