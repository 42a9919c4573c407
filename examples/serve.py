"""Serves an exported generator with TensorFlow, TFLite or ONNX Runtime alone.

    python examples/serve.py pretrained/digits tensorflow
    python examples/serve.py pretrained/digits tflite
    python examples/serve.py pretrained/digits onnx  # pip install tf2onnx onnxruntime

None of them needs logan_tf or Keras.
"""

import subprocess
import sys
import tempfile

import numpy as np

SIGNATURE = "serving_default"  # latents float32 [n, dim] -> images in [-1, 1]


def with_tensorflow(saved_model, latents):
    import tensorflow as tf

    serve = tf.saved_model.load(saved_model).signatures[SIGNATURE]
    return serve(latents=tf.constant(latents))["images"].numpy()


def with_tflite(saved_model, latents):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        saved_model, signature_keys=[SIGNATURE]
    )
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.resize_tensor_input(0, latents.shape)
    return interpreter.get_signature_runner(SIGNATURE)(latents=latents)["images"]


def with_onnx(saved_model, latents):
    import onnxruntime

    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        arguments = ["--saved-model", saved_model, "--signature_def", SIGNATURE]
        arguments += ["--opset", "18", "--output", file.name]
        command = [sys.executable, "-m", "tf2onnx.convert", *arguments]
        subprocess.run(command, check=True)
        session = onnxruntime.InferenceSession(file.name)
        return session.run(["images"], {session.get_inputs()[0].name: latents})[0]


RUNTIMES = {"tensorflow": with_tensorflow, "tflite": with_tflite, "onnx": with_onnx}

if __name__ == "__main__":
    saved_model, runtime = sys.argv[1:]
    latents = np.random.default_rng(0).uniform(-1, 1, [16, 64]).astype(np.float32)
    images = RUNTIMES[runtime](saved_model, latents)
    print(f"{images.shape} in [{images.min():.2f}, {images.max():.2f}]")
    for row in images[0, :, :, 0]:  # The first picture, as text.
        print("".join(" .:-=+*#%@"[round(4.5 * (value + 1))] for value in row))
