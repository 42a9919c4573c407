"""Whole training steps as StableHLO, to be compiled and timed wherever XLA runs.

A step takes the batch and every variable it reads (weights, optimizer slots,
spectral-norm vectors, the step's number) and returns the metrics and every variable it
changes. A returned variable may take the memory of the one that came in: it is
"donated", and whoever runs several steps feeds it back.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from logan_tf import atomic_file
from logan_tf.benchmarks import variants
from logan_tf.benchmarks.timing import Tick
from logan_tf.errors import ConfigurationError
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep

MANIFEST = "manifest.json"

_ALIAS = re.compile(
    r"parameter_number = (\d+) : i64\}, output_index = array<i64: (\d+)>"
)
_MAIN = re.compile(r"func\.func (?:public )?@main\((.*?)\) -> \((.*?)\) \{", re.DOTALL)
_TENSOR = re.compile(r"tensor<([^>]*)>")
_DTYPES = {"ui64": "uint64", "i64": "int64", "i32": "int32", "i1": "bool"}
_DTYPES |= {"f64": "float64", "f32": "float32", "bf16": "bfloat16", "f16": "float16"}


def export(
    experiment: Experiment,
    strategy: tf.distribute.Strategy,
    names: Sequence[str],
    folder: Path,
    tick: Tick,
) -> Path:
    """Writes `<variant>.stablehlo`, as text, for each variant, and `manifest.json`.

    The manifest has for each variant its `inputs` and `outputs` in order, each with
    name, shape and dtype; where an input is donated, `donated_to` is the number of the
    output that may take its memory.

    Args:
      experiment: of the recipe; nothing of it is changed.
      strategy: of one replica.
      names: of variants.
      folder: is made where it is missing.
      tick: called after each variant.

    Returns:
      The manifest's path.

    Raises:
      ConfigurationError: if the folder cannot be made or TensorFlow has no XLA for it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--stablehlo={folder} cannot be a folder ({error.strerror})"
        ) from error
    manifest = {}
    for name in names:
        text, entry = lower(variants.of(experiment, name), strategy)
        path = folder / f"{name}.stablehlo"
        atomic_file.write_text(path, text)
        manifest[name] = {"file": path.name} | entry
        tick()
    path = folder / MANIFEST
    atomic_file.write_text(path, json.dumps(manifest, indent=1) + "\n")
    return path


def lower(
    experiment: Experiment, strategy: tf.distribute.Strategy
) -> tuple[str, dict[str, Any]]:
    """One step as StableHLO text, and the manifest's `inputs` and `outputs` of it."""
    step, batch = TrainStep(experiment, strategy), variants.noise(experiment)
    function = tf.function(step.one_step, jit_compile=True)
    text = function.experimental_get_compiler_ir(batch)(stage="stablehlo")
    # TensorFlow copies what it returns by an operation of another dialect, which not
    # every reader of StableHLO knows.
    text = text.replace("= mhlo.copy %", "= stablehlo.optimization_barrier %")
    captured = _captured_variables(
        function.get_concrete_function(batch), _paths(experiment)
    )
    given = [name for name, each in batch._asdict().items() if tf.is_tensor(each)]
    names = [*given, *captured]
    main = _MAIN.search(text)
    assert main is not None
    inputs, outputs = (_tensors(part) for part in main.groups())
    for name, tensor in zip(names, inputs, strict=True):
        tensor["name"] = name
    outputs[0]["name"] = "metrics: " + ", ".join(step.metric_names)
    for parameter, output in _ALIAS.findall(text.split("@main", 1)[0]):
        inputs[int(parameter)]["donated_to"] = int(output)
        outputs[int(output)]["name"] = names[int(parameter)]
    return text, {"inputs": inputs, "outputs": outputs}


def _tensors(signature: str) -> list[dict[str, Any]]:
    """Shapes and dtypes of "tensor<2x3xf32>, …", which stand for one tensor each."""
    tensors = []
    for found in _TENSOR.findall(signature):
        *shape, dtype = found.split("x")
        tensors.append(
            {
                "name": "",
                "shape": [int(size) for size in shape],
                "dtype": _DTYPES.get(dtype, dtype),
            }
        )
    return tensors


def _captured_variables(
    function: tf.types.experimental.ConcreteFunction, paths: dict[int, str]
) -> list[str]:
    """Names of the variables, in the order in which the program takes them.

    Captured constants are part of the program.
    """
    names = {id(variable.handle): variable.name for variable in function.variables}
    resources = [x for x in function.captured_inputs if x.dtype == tf.resource]
    return [(names | paths)[id(resource)] for resource in resources]


def _paths(experiment: Experiment) -> dict[int, str]:
    """By the handle of each Keras variable its path, which tells layers apart."""
    holders = (
        experiment.generator,
        experiment.averaged_generator,
        experiment.discriminator,
        *experiment.optimizers.values(),
    )
    return {
        id(variable.value.handle): variable.path
        for holder in holders
        for variable in holder.variables
    }
