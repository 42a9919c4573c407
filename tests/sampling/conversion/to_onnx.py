"""SAVED_MODEL INPUTS.npz OUTPUT.npz: what `serving_default` gives as ONNX.

Run by test_conversion.py in the environment that `make converters` makes.
"""

import subprocess
import sys

import numpy as np
import onnxruntime

saved_model, inputs, output = sys.argv[1:]
model = f"{output}.onnx"
subprocess.run(
    [
        *(sys.executable, "-m", "tf2onnx.convert", "--opset=18"),
        *(f"--saved-model={saved_model}", "--signature_def=serving_default"),
        f"--output={model}",
    ],
    check=True,
)
session = onnxruntime.InferenceSession(model)
with np.load(inputs) as given:
    feed = {each.name: given[each.name.split(":")[0]] for each in session.get_inputs()}
(images,) = session.run(["images"], feed)
np.savez(output, images=images)
