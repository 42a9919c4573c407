"""What a process costs: the time until its first step is done, and its peak memory."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from logan_tf.benchmarks import steps, variants
from logan_tf.errors import ConfigurationError
from logan_tf.installation import ROOT
from logan_tf.training.experiment import Experiment

_STEPS = 3  # The peak of memory is reached in the first; some are reused after it.


def measure_here(
    experiment: Experiment,
    strategy: tf.distribute.Strategy,
    name: str,
    *,
    jit_compile: bool,
) -> dict[str, float]:
    """Takes the first steps of one variant, in a process that has done nothing else.

    Returns:
      `trace_seconds`, until the first step is done; `peak_bytes` of resident memory,
      and `bytes_before` there was a step (on a GPU also `device_peak_bytes`).
    """
    before = peak_memory()
    started = time.perf_counter()
    step = steps.compiled(variants.of(experiment, name), strategy, jit_compile)
    step()
    traced = time.perf_counter() - started
    for _ in range(_STEPS):
        step()
    found = {
        "trace_seconds": traced,
        "bytes_before": before,
        "peak_bytes": peak_memory(),
    }
    if tf.config.list_physical_devices("GPU"):
        device = tf.config.experimental.get_memory_info("GPU:0")
        found["device_peak_bytes"] = device["peak"]
    return found


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    try:
        # Unlike getrusage's, it does not start from the size of the parent.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        (line,) = (x for x in status.splitlines() if x.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


def in_a_child(arguments: Sequence[str]) -> dict[str, Any]:
    """Runs bin/benchmark with these flags in a process of its own.

    Returns:
      What it writes to --output.

    Raises:
      ConfigurationError: if it fails, with its own last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results.json"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "logan_tf.cli.benchmark",
                *arguments,
                f"--output={output}",
                "--noprogress",
            ],
            cwd=Path.cwd(),
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            raise ConfigurationError(
                f"a process of its own ended with {done.returncode}: "
                f"{lines[-1].removeprefix('error: ')}"
            )
        return json.loads(output.read_text(encoding="utf-8"))


def _environment() -> dict[str, str]:
    path = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": f"{ROOT}:{path}" if path else str(ROOT)}
