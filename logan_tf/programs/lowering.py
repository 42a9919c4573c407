"""A traced function as StableHLO, to be compiled wherever XLA runs.

A program takes what its caller gives and every variable it reads, and returns its
results and every variable it changes. A returned variable may take the memory of the
one that came in: it is "donated", and whoever calls again feeds it back.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.programs import text as stablehlo_text

_ALIAS = re.compile(
    r"parameter_number = (\d+) : i64\}, output_index = array<i64: (\d+)>"
)
_DTYPES = {"ui64": "uint64", "i64": "int64", "i32": "int32", "i1": "bool"}
_DTYPES |= {"f64": "float64", "f32": "float32", "bf16": "bfloat16", "f16": "float16"}


class Program(NamedTuple):
    """A function's StableHLO and what goes in and out of it, in order."""

    text: str
    inputs: list[dict[str, Any]]
    """Each with `name`, `shape` and `dtype`; a donated one with `donated_to`, the
    number of the output that may take its memory."""
    outputs: list[dict[str, Any]]
    """Each with `name`, `shape` and `dtype`."""

    def entry(self, file: str) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"file": file, "inputs": self.inputs, "outputs": self.outputs}


def make_folder(folder: Path, flag: str) -> None:
    """Makes the folder that programs are written to.

    Raises:
      ConfigurationError: if it cannot be; it names the flag.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--{flag}={folder} cannot be a folder ({error.strerror})"
        ) from error


def lower(
    function: Callable,
    given: Mapping[str, tf.TensorSpec | tf.Tensor],
    variables: Mapping[str, tf.Variable],
    results: Callable[[], list[str]],
    replicas: int = 1,
) -> Program:
    """Traces a function and writes it as StableHLO.

    Args:
      function: takes tensors by position; what it returns is named by `results`.
      given: its arguments, by name.
      variables: all that it may read, by name.
      results: the names of what it returns, asked for once it is traced.
      replicas: that run it together.
    """
    compiled = tf.function(function, jit_compile=True)
    arguments = list(given.values())
    text = compiled.experimental_get_compiler_ir(*arguments)(stage="stablehlo")
    # TensorFlow copies what it returns by an operation of another dialect, which not
    # every reader of StableHLO knows.
    text = text.replace("= mhlo.copy %", "= stablehlo.optimization_barrier %")
    text = stablehlo_text.of_replicas(stablehlo_text.slim(text), replicas)
    traced = compiled.get_concrete_function(*arguments)
    names = {id(variable.handle): name for name, variable in variables.items()}
    # Captured constants are part of the program.
    resources = [x for x in traced.captured_inputs if x.dtype == tf.resource]
    inputs, outputs = (
        [_described(each) for each in types] for types in stablehlo_text.signature(text)
    )
    read = [*given, *(names[id(resource)] for resource in resources)]
    for name, tensor in zip(read, inputs, strict=True):
        tensor["name"] = name
    returned = results()
    for name, tensor in zip(returned, outputs, strict=False):
        tensor["name"] = name
    for parameter, output in _ALIAS.findall(text.split("@main", 1)[0]):
        inputs[int(parameter)]["donated_to"] = int(output)
        outputs[int(output)]["name"] = inputs[int(parameter)]["name"]
    return Program(text, inputs, outputs)


def _described(kind: str) -> dict[str, Any]:
    """A tensor of type "2x3xf32", without a name yet."""
    *shape, dtype = kind.split("x")
    return {
        "name": "",
        "shape": [int(size) for size in shape],
        "dtype": _DTYPES.get(dtype, dtype),
    }
