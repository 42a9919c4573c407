"""The exported step, executed as the program that it is, against our step."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from logan_tf.benchmarks import stablehlo, variants
from logan_tf.errors import ConfigurationError
from logan_tf.programs.names import names_of
from logan_tf.training.step import TrainStep

STRATEGY = tf.distribute.get_strategy()


def _execute(text, inputs, outputs):
    """Runs a module; TensorFlow's reader of StableHLO knows no other dialect."""

    @tf.function(jit_compile=True)
    def call(*arguments):
        return gen_xla_ops.xla_call_module(
            args=list(arguments),
            version=9,
            module=text,
            Sout=[tuple(output["shape"]) for output in outputs],
            Tout=[tf.as_dtype(output["dtype"]) for output in outputs],
            platforms=["CPU"],
        )

    return call(*inputs)


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
@pytest.mark.parametrize("name", ["baseline", "ngd"])
def test_the_program_takes_our_step(name, small_sngan, tmp_path):
    experiment = small_sngan()
    path = stablehlo.export(
        experiment, STRATEGY, [name], tmp_path / "new", lambda: None
    )
    manifest = json.loads(path.read_text())[name]
    inputs, outputs = manifest["inputs"], manifest["outputs"]
    step = TrainStep(variants.of(experiment, name), STRATEGY)
    variables, batch = names_of(experiment, step.step), variants.noise(experiment)
    values = batch._asdict() | variables
    text = (path.parent / manifest["file"]).read_text()
    found = _execute(text, [values[given["name"]] for given in inputs], outputs)
    before = {name: variable.numpy() for name, variable in variables.items()}
    metrics = step.one_step(batch)
    np.testing.assert_allclose(found[0], metrics, rtol=1e-3, atol=1e-5)
    changed = 0
    for output, value in zip(outputs[1:], found[1:], strict=True):
        if output["name"] == "step":
            assert value == 1
            continue
        expected = variables[output["name"]].numpy()
        moved = np.abs(expected - before[output["name"]]).max()
        # Adam turns the rounding of a gradient of zero into a whole step.
        is_dead = "bias" in output["name"]
        atol = 2.5e-3 if is_dead else 1e-5 + 0.02 * moved
        np.testing.assert_allclose(value, expected, atol=atol, err_msg=output["name"])
        changed += not is_dead and moved > 0
    assert changed > 30


@pytest.mark.usefixtures("xla")
def test_manifest(small_sngan):
    experiment = small_sngan()
    program = stablehlo.lower(variants.of(experiment, "baseline"), STRATEGY)
    assert "mhlo.copy" not in program.text
    assert "loc(" not in program.text
    entry = program.entry("baseline.stablehlo")
    names = [given["name"] for given in entry["inputs"]]
    assert names[:4] == ["images", "labels", "latents", "fake_labels"]
    assert entry["inputs"][0]["shape"] == [4, 1, 16, 16, 3]
    assert entry["inputs"][1]["dtype"] == "int32"
    assert len(set(names)) == len(names)
    for number, given in enumerate(entry["inputs"]):
        is_kept = number < 4 or given["name"].endswith("learning_rate")
        assert ("donated_to" not in given) == is_kept, given
        if not is_kept:
            output = entry["outputs"][given["donated_to"]]
            for key in ("name", "shape", "dtype"):
                assert output[key] == given[key]
    assert entry["outputs"][0]["name"].startswith("metrics: absolute_score_gain, ")


def test_a_folder_that_cannot_be(small_sngan, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(ConfigurationError, match="cannot be a folder"):
        stablehlo.export(small_sngan(), STRATEGY, [], path, lambda: None)


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_several_steps_in_a_program(small_sngan):
    experiment = variants.of(small_sngan(), "baseline")
    program = stablehlo.lower(experiment, STRATEGY, steps=3)
    shapes = {given["name"]: given["shape"] for given in program.inputs}
    assert shapes["images"] == [3, 4, 1, 16, 16, 3]
    assert shapes["count"] == []
    assert program.outputs[0]["shape"][0] == 3


@pytest.mark.usefixtures("xla")
def test_one_of_several_replicas(small_sngan):
    experiment = variants.of(small_sngan(), "baseline")
    program = stablehlo.lower(experiment, STRATEGY, replicas=4)
    (images,) = (x for x in program.inputs if x["name"] == "images")
    assert images["shape"] == [1, 1, 16, 16, 3]
    assert "mhlo.num_replicas = 4 : i32" in program.text
    assert "dense<[[0, 1, 2, 3]]>" in program.text
    # Of each of two batch norms the center, the moments and their gradient; and one of
    # all gradients.
    assert 5 <= program.text.count('"stablehlo.all_reduce"') <= 10
    with pytest.raises(ConfigurationError, match="replicas"):
        stablehlo.lower(experiment, STRATEGY, replicas=3)
