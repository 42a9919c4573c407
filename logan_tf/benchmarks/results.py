"""Results as JSON with what identifies them, as tables, and two of them compared."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from logan_tf import atomic_file, small_files
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.installation import ROOT

Measurements = dict[str, Any]
"""`identity`, and what was measured: `steps`, `operations`, `process`, `loop`, `sweep`.
"""


def identity(recipe: str, parameters: Sequence[str], date: str) -> dict[str, Any]:
    """What a time depends on; to be taken after TensorFlow has found its devices."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "recipe": recipe,
        "gin_params": list(parameters),
        "date": date,
        "commit": _commit(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,  # The TPU build has another package's name.
            "keras": metadata.version("keras"),
        },
        "devices": [found.get("device_name", "GPU") for found in details] or [_cpu()],
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": {  # 0: TensorFlow takes as many as there are cores.
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
        },
    }


def write(path: str | os.PathLike, results: Measurements) -> None:
    """Writes the results, whole or not at all."""
    atomic_file.write_text(path, json.dumps(results, indent=1, allow_nan=False) + "\n")


def read(path: str | os.PathLike) -> Measurements:
    """Reads results.

    Raises:
      ConfigurationError: there is no such file.
      BadDataError: the file is no results.
    """
    try:
        results = small_files.read_json(path)
    except FileNotFoundError:
        raise ConfigurationError(
            f"no results at {path}: bin/benchmark --output={path} makes them"
        ) from None
    except (OSError, ValueError) as error:
        raise BadDataError(f"{path} cannot be read ({error}): measure anew") from error
    try:
        small_files.require_kinds(results, {"identity": dict})
        for _, numbers in _numbers(results):
            small_files.require_numbers(numbers)
            if min(numbers) <= 0:
                raise ValueError
    except small_files.GARBLED as error:
        raise BadDataError(
            f"{path} holds no results of bin/benchmark: measure anew"
        ) from error
    return results


def step_rows(results: Measurements) -> list[dict[str, object]]:
    """A row a variant: time, ratio to the baseline, operations, process."""
    names = dict.fromkeys(
        name
        for part in ("steps", "operations", "process")
        for name in results.get(part, {})
    )
    return [{"variant": name} | _row(results, name) for name in names]


def compare(old: Measurements, new: Measurements) -> list[dict[str, object]]:
    """A row a number that both have: the ratio new ÷ old, and whether it means much.

    A time's ratio has a range, from quartile against quartile; where 1 is outside of
    it, the difference exceeds the spread.
    """
    before, after = dict(_numbers(old)), dict(_numbers(new))
    rows: list[dict[str, object]] = []
    for name in before:
        if name not in after:
            continue
        (a, a_low, a_high), (b, b_low, b_high) = before[name], after[name]
        low, high = b_low / a_high, b_high / a_low
        apart = "" if low <= 1 <= high else "yes"
        rows.append(
            {
                "": name,
                "old": a,
                "new": b,
                "ratio": b / a,
                "range": f"{low:.3f} to {high:.3f}" if low < high else "-",
                "beyond the spread": apart,
            }
        )
    return rows


def differences(old: Measurements, new: Measurements) -> list[str]:
    """What identifies the one and not the other, a line each."""
    pairs = ((key, old["identity"].get(key), value) for key, value in _items(new))
    return [f"{key}: {a} → {b}" for key, a, b in pairs if a != b]


def _items(results: Measurements) -> list[tuple[str, Any]]:
    return list(results["identity"].items())


def _row(results: Measurements, name: str) -> dict[str, object]:
    row: dict[str, object] = {}
    if name in (steps := results.get("steps", {})):
        seconds = steps[name]["seconds"]
        row["ms"] = 1e3 * seconds["median"]
        row["quartiles"] = f"{1e3 * seconds['low']:.4g} to {1e3 * seconds['high']:.4g}"
        if "baseline" in steps:
            row["ratio"] = seconds["median"] / steps["baseline"]["seconds"]["median"]
        row["images/s"] = steps[name]["images_per_second"]
    if name in (operations := results.get("operations", {})):
        counted = operations[name]
        row["floor"] = counted["floor"]
        row["floor GFLOP"] = gigas = counted["floor_operations"] / 1e9
        row["work ÷ floor"] = counted["work"]
        if name in steps:
            row["floor GFLOP/s"] = gigas / steps[name]["seconds"]["median"]
    if name in (processes := results.get("process", {})):
        process = processes[name]
        row["import s"] = process["import_seconds"]
        row["build s"] = process["build_seconds"]
        row["first step s"] = process["trace_seconds"]
        row["peak MiB"] = process["peak_bytes"] / 2**20
    return row


def _numbers(results: Measurements) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """(name, (value, low, high)) of everything that can be compared."""
    for name, found in results.get("steps", {}).items():
        seconds = found["seconds"]
        yield f"step {name} (s)", _range(seconds)
    for name, found in results.get("loop", {}).items():
        if isinstance(found, Mapping):
            yield f"{name} a step (s)", _range(found)
    for name, found in results.get("operations", {}).items():
        yield f"work {name} ÷ floor", (found["work"],) * 3
    for name, found in results.get("process", {}).items():
        for key in ("trace_seconds", "peak_bytes"):
            yield f"{key} {name}", (found[key],) * 3


def _range(seconds: Mapping[str, float]) -> tuple[float, float, float]:
    return seconds["median"], seconds["low"], seconds["high"]


def _commit() -> str | None:
    """The commit of the checkout, "+" where there are changes; None outside of one."""
    commands = (["rev-parse", "--short", "HEAD"], ["status", "--porcelain"])
    try:
        head, status = (
            subprocess.run(
                ["git", *arguments],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for arguments in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if status else "")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.split(":", 1)[1] for line in lines if line.startswith("model name"))
    return next(models, platform.machine()).strip()
