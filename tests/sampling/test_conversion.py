"""Every network's `serving_default` as TFLite and as ONNX: the same pictures.

ONNX's converter has an environment of its own: `make converters`.
"""

import os
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.configuration import recipe_files
from logan_tf.data.priors import uniform_prior
from logan_tf.networks import biggan, biggan_deep, mlp, sagan, sngan, sngan_resnet
from logan_tf.sampling.export import export
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.sampler import Sampler
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.sampling.signatures import Signatures

CONVERTERS = recipe_files.RECIPES.parent / ".venv-converters/bin/python"
TO_ONNX = Path(__file__).parent / "conversion/to_onnx.py"
NUM, CLASSES, DIM = 5, 3, 12
CONDITIONAL = {"num_classes": CLASSES, "width": 8, "image_size": 32}
ATTENDING = CONDITIONAL | {"attention_size": 16}
SMALL = {"image_size": 16, "attention_size": 8}
NETWORKS = {
    "mlp": (mlp, {"hidden": (8,)}),
    "sngan": (sngan, {"image_size": 16, "width": 4}),
    "sngan_resnet": (sngan_resnet, CONDITIONAL),
    "sagan": (sagan, ATTENDING),
    "biggan": (biggan, ATTENDING | SMALL),
    "biggan_deep": (biggan_deep, ATTENDING | SMALL | {"blocks_per_stage": 1}),
    "rematerialized": (
        biggan_deep,
        ATTENDING | SMALL | {"blocks_per_stage": 1, "rematerialize": True},
    ),
}


@pytest.fixture(params=NETWORKS)
def exported(request, tmp_path) -> tuple[str, dict, np.ndarray]:
    """A SavedModel, inputs, and the pictures that the network makes of them."""
    tf.keras.utils.set_random_seed(0)
    module, arguments = NETWORKS[request.param]
    generator = module.Generator(latent_dim=DIM, **arguments)
    discriminator = module.Discriminator(**arguments)
    classes = arguments.get("num_classes", 0)
    graph = SamplingGraph(generator, discriminator, None, uniform_prior, classes)
    sampler = Sampler(graph)
    sampler.collect_standing(8, SamplingSettings(), batch_size=32)
    signatures = Signatures(graph, 1, 4, discriminator=False)
    receipt = {"latent_steps": 0, "checkpoint_step": 0} | signatures.description()
    export(tmp_path / "model", signatures, receipt, ["one"] * classes)
    numbers = np.random.default_rng(0)
    latents = numbers.uniform(-1, 1, (NUM, DIM)).astype(np.float32)
    inputs = {"latents": latents}
    if classes:
        inputs["labels"] = np.arange(NUM, dtype=np.int32) % classes
    labels = tf.constant(inputs.get("labels", np.zeros(NUM, np.int32)))
    images = generator(tf.constant(latents), labels, training=False)
    return str(tmp_path / "model"), inputs, np.array(images)


@pytest.mark.slow
def test_tflite_with_its_own_operations_alone(exported):
    path, inputs, images = exported
    converter = tf.lite.TFLiteConverter.from_saved_model(
        path, signature_keys=["serving_default"]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    model = converter.convert()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # That it moves to a package of its own.
        interpreter = tf.lite.Interpreter(model_content=model)
    for detail in interpreter.get_input_details():
        given = inputs[_name(detail)]
        interpreter.resize_tensor_input(detail["index"], given.shape)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[_name(detail)])
    interpreter.invoke()
    (detail,) = interpreter.get_output_details()
    found = interpreter.get_tensor(detail["index"])
    np.testing.assert_allclose(found, images, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not CONVERTERS.exists(), reason="`make converters` makes them")
def test_onnx(exported, tmp_path):
    path, inputs, images = exported
    np.savez(tmp_path / "inputs.npz", **inputs)
    output = tmp_path / "output.npz"
    command = [CONVERTERS, TO_ONNX, path, tmp_path / "inputs.npz", output]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(output) as found:
        np.testing.assert_allclose(found["images"], images, rtol=0, atol=1e-5)


def _name(detail: dict) -> str:
    """serving_default_latents:0"""
    return detail["name"].removeprefix("serving_default_").split(":")[0]
