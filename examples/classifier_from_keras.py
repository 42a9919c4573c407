"""A network of keras.applications as a classifier of bin/evaluate.

    python examples/classifier_from_keras.py EfficientNetB0 classifier

writes a SavedModel: float32 images [n, height, width, 3] in [-1, 1], of any size, to
`logits` and to `pool_3`, what the last dense layer reads. Weights are ImageNet's, which
Keras downloads; --weights=FILE takes a file, --features_only leaves out the logits.
"""

import argparse
import inspect
from collections.abc import Callable

import keras
import tensorflow as tf


class Classifier(tf.Module):
    """What `bin/evaluate` calls.

    Args:
      network: a keras.Model that ends in a dense layer without an activation.
      preprocess: pixels in [0, 255] -> what the network was trained on.
      features_only: whether to leave out the logits.
    """

    def __init__(
        self, network: keras.Model, preprocess: Callable, features_only: bool = False
    ):
        if not isinstance(network.layers[-1], keras.layers.Dense):
            raise SystemExit(f"{network.name} does not end in a dense layer")
        outputs = {"pool_3": network.layers[-1].input, "logits": network.output}
        if features_only:
            del outputs["logits"]
        self._model = keras.Model(network.input, outputs)
        self._preprocess = preprocess
        self.variables_of_model = [variable.value for variable in network.variables]

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3])], autograph=False
    )
    def __call__(self, images):
        resized = tf.image.resize(images, self._model.input_shape[1:3], antialias=True)
        pixels = self._preprocess(127.5 * (resized + 1))
        return self._model(pixels, training=False)


def save(classifier: Classifier, path: str) -> None:
    """Writes it as a SavedModel with the signature `serving_default`."""
    tf.saved_model.save(classifier, path, signatures=classifier.__call__)


def load(name: str, weights: str | None) -> tuple[keras.Model, Callable]:
    """A network of keras.applications and its preprocessing, by the network's name."""
    network = getattr(keras.applications, name)
    model = network(weights=weights, classifier_activation=None)
    # Not all are named in the public module that has their preprocessing.
    return model, inspect.getmodule(network).preprocess_input


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="such as EfficientNetB0 or InceptionV3")
    parser.add_argument("path", help="the folder to write")
    parser.add_argument("--weights", default="imagenet", help="a file, or 'imagenet'")
    parser.add_argument("--features_only", action="store_true")
    given = parser.parse_args()
    network, preprocess = load(given.network, given.weights)
    save(Classifier(network, preprocess, given.features_only), given.path)


if __name__ == "__main__":
    main()
