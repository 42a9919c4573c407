"""StableHLO programs of this project, run by JAX's runtime: no TensorFlow is needed.

A manifest says what a program takes and returns, by name (`bin/export --train_step`,
`bin/benchmark --stablehlo`). Needs JAX 0.10 or later and NumPy.
"""

import json
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402
from jax._src.lib import xla_client  # noqa: E402  (no public way to run a module)


def manifest(folder: Path) -> dict:
    """What a folder's programs take and return, by the program's name."""
    return json.loads((folder / "manifest.json").read_text())


class Program:
    """A compiled program: called by name, it keeps what it changes.

    Args:
      folder: of the programs.
      name: in the manifest.
      state: variables by name, on the device; programs may share them.

    Attributes:
      compile_seconds: what compiling took.
      inputs, outputs: the manifest's.
    """

    def __init__(self, folder: Path, name: str, state: dict) -> None:
        entry = manifest(folder)[name]
        text = (folder / entry["file"]).read_bytes()
        device = jax.devices()[0]
        started = time.perf_counter()
        self._compiled = device.client.compile_and_load(
            text, xla_client.DeviceList((device,)), xla_client.CompileOptions()
        )
        self.compile_seconds = time.perf_counter() - started
        self.inputs, self.outputs = entry["inputs"], entry["outputs"]
        self._state = state

    def __call__(self, **given: np.ndarray) -> list[jax.Array]:
        """Results that are no variables; what is given must be all else."""
        device = jax.devices()[0]
        values = [
            jax.device_put(given[each["name"]], device)
            if each["name"] in given
            else self._state[each["name"]]
            for each in self.inputs
        ]
        found = self._compiled.execute_sharded(values)
        arrays = [x[0] for x in found.disassemble_into_single_device_arrays()]
        results = []
        for each, array in zip(self.outputs, arrays, strict=True):
            if each["name"] in self._state:
                self._state[each["name"]] = array
            else:
                results.append(array)
        return results

    def memory(self) -> dict[str, float]:
        """What XLA plans, in GiB: arguments, donated ones, and the peak of all."""
        planned = self._compiled.get_compiled_memory_stats()
        sizes = {
            "arguments": planned.argument_size_in_bytes,
            "temporary": planned.temp_size_in_bytes,
            "peak": getattr(planned, "peak_memory_in_bytes", 0),
        }
        return {name: size / 2**30 for name, size in sizes.items()}

    def cost(self) -> dict[str, float]:
        """What XLA counts: TFLOP, and GiB that operations read and write.

        A loop's body counts once.
        """
        found = self._compiled.cost_analysis()
        found = found[0] if isinstance(found, list) else found
        return {
            "tflop": found.get("flops", np.nan) / 1e12,
            "gib": found.get("bytes accessed", np.nan) / 2**30,
        }

    def metric_names(self) -> list[str]:
        """Of a training step's first result."""
        return self.outputs[0]["name"].removeprefix("metrics: ").split(", ")

    def shape(self, name: str) -> tuple[int, ...]:
        """Of an input."""
        (found,) = (each["shape"] for each in self.inputs if each["name"] == name)
        return tuple(found)
