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
    text = (flags.parts / f"{flags.variant}.stablehlo").read_text()
    count = int(re.search(r"num_replicas = (\d+)", text)[1])
    # Before JAX is imported: it reads them once.
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
    expected, values = of_the_whole(flags.whole, flags.variant)
    found, sums = of_the_parts(flags.parts, flags.variant, text, values)
    print(f"{sums} sums over {count} replicas")
    for kind, difference in differences(expected, found).items():
        print(f"{kind}: {difference:.1e} of its norm")


def of_the_whole(folder: Path, variant: str) -> tuple[dict, dict]:
    """The variables after a step of the whole batch, and what went in, by name."""
    import jax
    from jax_programs import Program, manifest
    from time_with_jax import DATA, value

    values = {
        each["name"]: value(each["name"], tuple(each["shape"]), each["dtype"])
        for each in manifest(folder)[variant]["inputs"]
    }
    data = {name: values[name] for name in DATA if name in values}
    state = {n: jax.device_put(x) for n, x in values.items() if n not in data}
    Program(folder, variant, state)(**data)
    return {name: np.asarray(x) for name, x in state.items()}, values


def of_the_parts(
    folder: Path, variant: str, text: str, values: dict
) -> tuple[dict, int]:
    """By name each replica's copy after its step, and how many sums XLA made."""
    import jax
    from jax._src.lib import xla_client
    from jax.sharding import Mesh, NamedSharding, PartitionSpec
    from jax_programs import manifest
    from time_with_jax import DATA

    devices = jax.devices()
    options = xla_client.CompileOptions()
    options.num_replicas = len(devices)
    options.device_assignment = xla_client.DeviceAssignment.create(
        np.array([[device.id] for device in devices])
    )
    compiled = devices[0].client.compile_and_load(
        text.encode(), xla_client.DeviceList(tuple(devices)), options
    )
    mesh, entry = Mesh(np.array(devices), ("replica",)), manifest(folder)[variant]
    given = [
        jax.device_put(
            values[each["name"]],
            NamedSharding(mesh, PartitionSpec(*["replica"] * (each["name"] in DATA))),
        )
        for each in entry["inputs"]
    ]
    outputs = compiled.execute_sharded(given).disassemble_into_single_device_arrays()
    names = [each["name"] for each in entry["outputs"]]
    found = {
        name: [np.asarray(array) for array in arrays]
        for name, arrays in zip(names[1:], outputs[1:], strict=True)
    }
    hlo = compiled.hlo_modules()[0].to_string()
    return found, len(re.findall(r" all-reduce(?:-start)?[(]", hlo))


def differences(expected: dict, found: dict) -> dict[str, float]:
    """By kind of variable, how far the first replica is, as a share of the norm."""
    squares = defaultdict(lambda: np.zeros(2))
    for name, (first, *others) in found.items():
        if not all((first == other).all() for other in others):
            raise SystemExit(f"the replicas differ in {name}")
        kind = name.split("/")[0]
        if "optimizer" in kind:
            kind += f", {name.rsplit('/', 1)[-1]}"
        whole = expected[name].astype(float)
        squares[kind] += ((first - whole) ** 2).sum(), (whole**2).sum()
    return {kind: np.sqrt(a / max(b, 1e-300)) for kind, (a, b) in squares.items()}


if __name__ == "__main__":
    main()
