"""Checks a step written for several replicas against the step of the whole batch.

  bin/benchmark --gin_file=$recipe --stablehlo=one --variants=ngd
  bin/benchmark --gin_file=$recipe --stablehlo=two --variants=ngd --replicas=2
  python benchmarks/replicas_with_jax.py one two ngd

On as many devices of a CPU as there are replicas: one step from the same weights and
batch; prints how far its results differ. Needs JAX 0.10 or later and NumPy.
"""

import argparse
import os
import re
from collections import defaultdict
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("whole", type=Path)
    parser.add_argument("parts", type=Path)
    parser.add_argument("variant")
    flags = parser.parse_args()
    text = next(flags.parts.glob(f"{flags.variant}.stablehlo")).read_text()
    count = int(re.search(r"num_replicas = (\d+)", text)[1])
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
    import jax
    from jax._src.lib import xla_client
    from jax.sharding import Mesh, NamedSharding, PartitionSpec
    from jax_programs import Program, manifest
    from time_with_jax import DATA, value

    devices = jax.devices()
    mesh = Mesh(np.array(devices), ("replica",))
    entry = manifest(flags.whole)[flags.variant]
    values = {
        each["name"]: value(each["name"], tuple(each["shape"]), each["dtype"])
        for each in entry["inputs"]
    }
    state = {n: jax.device_put(x, devices[0]) for n, x in values.items()}
    for name in DATA:
        state.pop(name, None)
    whole = Program(flags.whole, flags.variant, state)
    whole(**{name: x for name, x in values.items() if name in DATA})
    options = xla_client.CompileOptions()
    options.num_replicas = count
    options.device_assignment = xla_client.DeviceAssignment.create(
        np.array([[device.id] for device in devices])
    )
    compiled = devices[0].client.compile_and_load(
        text.encode(), xla_client.DeviceList(tuple(devices)), options
    )
    entry = manifest(flags.parts)[flags.variant]
    parts = PartitionSpec("replica"), PartitionSpec()
    given = [
        jax.device_put(
            values[each["name"]], NamedSharding(mesh, parts[each["name"] not in DATA])
        )
        for each in entry["inputs"]
    ]
    found = compiled.execute_sharded(given).disassemble_into_single_device_arrays()
    hlo = compiled.hlo_modules()[0].to_string()
    print(f"{len(re.findall(r' all-reduce(?:-start)?[(]', hlo))} sums over {count}")
    squares = defaultdict(lambda: np.zeros(2))
    for each, arrays in zip(entry["outputs"][1:], found[1:], strict=True):
        name = each["name"]
        expected = np.asarray(state[name]).astype(float)
        first, *others = (np.asarray(array) for array in arrays)
        if not all((first == other).all() for other in others):
            raise SystemExit(f"the replicas differ in {name}")
        kind = name.split("/")[0]
        if "optimizer" in kind:
            kind += f", {name.rsplit('/', 1)[-1]}"
        squares[kind] += ((first - expected) ** 2).sum(), (expected**2).sum()
    for kind, (difference, size) in squares.items():
        print(f"{kind}: {np.sqrt(difference / max(size, 1e-300)):.1e} of its norm")


if __name__ == "__main__":
    main()
