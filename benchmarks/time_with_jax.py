"""Times exported training steps on whatever device JAX has.

  bin/benchmark --gin_file=gin/logan_cifar10.gin --stablehlo=steps
  python benchmarks/time_with_jax.py steps

Programs are compiled first, then timed in turn, in rounds: the medians, and what XLA
plans of memory. Weights and data are noise, learning rates 2e-4: times do not depend on
them. Needs JAX 0.10 or later and NumPy.
"""

import argparse
import json
import statistics
import time
import zlib
from pathlib import Path

import jax
import ml_dtypes  # noqa: F401  (NumPy then knows bfloat16)
import numpy as np
from jax_programs import Program, manifest

DATA = ("images", "labels", "latents", "fake_labels", "image_draws", "fake_draws")


def value(name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A plausible value of an input."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    last = name.rsplit("/", 1)[-1]
    if last == "learning_rate":
        return np.asarray(2e-4, dtype)
    if not np.issubdtype(np.dtype(dtype), np.floating):
        return np.zeros(shape, dtype)
    if last in ("momentum", "velocity"):
        return np.zeros(shape, dtype)
    if last in ("scale", "gamma"):
        return np.ones(shape, dtype)
    if name in ("images", "latents"):
        return rng.uniform(-1, 1, shape).astype(dtype)
    if len(shape) < 2 and last != "vector":
        return np.zeros(shape, dtype)
    width = max(int(np.prod(shape[:-1])), shape[-1]) if shape else 1
    return (rng.standard_normal(shape, np.float32) / np.sqrt(width)).astype(dtype)


class Timed:
    """A compiled step with its inputs, and its times."""

    def __init__(self, folder: Path, name: str) -> None:
        self._state: dict = {}
        self._given: dict = {}
        self.steps = 1
        self.program = Program(folder, name, self._state)
        self.seconds: list[float] = []

    def prepare(self) -> None:
        """Puts the inputs on the device and takes a first step."""
        device = jax.devices()[0]
        for each in self.program.inputs:
            name, shape = each["name"], tuple(each["shape"])
            held = self._given if name in DATA else self._state
            held[name] = jax.device_put(value(name, shape, each["dtype"]), device)
        if "count" in self._state:  # As many steps as there are batches.
            del self._state["count"]
            self.steps = self.program.shape("images")[0]
            self._given["count"] = jax.device_put(np.int32(self.steps), device)
        self._take()

    def release(self) -> None:
        """Frees the device's memory."""
        self._state.clear()
        self._given.clear()

    def measure(self, seconds: float) -> None:
        """One round: many calls, and then a wait for the last."""
        started = time.perf_counter()
        self._take()
        calls = max(1, int(seconds / (time.perf_counter() - started)))
        started = time.perf_counter()
        for _ in range(calls - 1):
            self.program(**self._given)
        self._take()
        self.seconds.append((time.perf_counter() - started) / calls / self.steps)

    def _take(self) -> None:
        metrics = self.program(**self._given)[0]
        self.finite = bool(np.isfinite(np.asarray(metrics)).all())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--programs", nargs="*", help="some of them; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--round_seconds", type=float, default=1.0)
    parser.add_argument("--one_at_a_time", action="store_true", help="for large ones")
    flags = parser.parse_args()
    names = flags.programs or list(manifest(flags.folder))
    steps = {name: Timed(flags.folder, name) for name in names}
    kind = jax.devices()[0].device_kind
    print(
        f"{kind}, JAX {jax.__version__}; medians of {flags.rounds} rounds", flush=True
    )
    groups = [[name] for name in names] if flags.one_at_a_time else [names]
    for group in groups:
        for name in group:
            steps[name].prepare()
        for _ in range(flags.rounds):
            for name in group:
                steps[name].measure(flags.round_seconds)
        for name in group:
            report(name, steps[name])
            steps[name].release()


def report(name: str, step: Timed) -> None:
    """One line of JSON."""
    found = {
        "program": name,
        "ms_a_step": round(1e3 * statistics.median(step.seconds), 4),
        "least": round(1e3 * min(step.seconds), 4),
        "most": round(1e3 * max(step.seconds), 4),
        "steps_a_call": step.steps,
        "compile_s": round(step.program.compile_seconds, 1),
        "finite": step.finite,
        "planned_gib": {k: round(v, 3) for k, v in step.program.memory().items()},
        "counted": {k: round(v, 3) for k, v in step.program.cost().items()},
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
