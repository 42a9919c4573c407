"""A classifier of gray pictures that judges generators, trained once and cached.

Modes are counted by its arg-max, distances between features by its penultimate layer.
Numbers of this classifier are never plain FID or IS.

The training is a function of `TrainingRecipe` and the train split alone: no global
random state is read or moved. On one machine two trainings give the same bits; another
processor may round otherwise, so a receipt carries the recipe's hash and the weights'.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from logan_tf import atomic_file, installation, small_files
from logan_tf.data.digits import Digits
from logan_tf.errors import BadDataError, ConfigurationError, first_line
from logan_tf.metrics import digit_network
from logan_tf.metrics.digit_network import TrainingRecipe

LEAST_SIZE = 8


class Standard(NamedTuple):
    """How a data set's classifier is trained, and what it has to reach."""

    recipe: TrainingRecipe
    least_accuracy: float
    """On held-out data; less means damaged data, or a training that went wrong."""


STANDARDS = {
    "digits": Standard(TrainingRecipe(), 0.98),
    "mnist": Standard(digit_network.LARGE, 0.985),
    "fashion_mnist": Standard(digit_network.LARGE, 0.87),
    "kmnist": Standard(digit_network.LARGE, 0.90),
}
"""By the name of the data set."""
OTHERS = Standard(digit_network.LARGE, 0.8)
"""Of data sets that the table does not have."""


class DigitClassifier:
    """A trained classifier of digits of one size.

    Attributes:
      size: height and width of the images.
      accuracy: share of the held-out digits that it reads rightly.
      recipe_hash: of the constants and the data; the same on every machine.
      weights_hash: of the trained weights.
    """

    def __init__(
        self,
        size: int,
        weights: Sequence[np.ndarray],
        *,
        accuracy: float,
        recipe_hash: str,
        recipe: TrainingRecipe | None = None,
        batch_size: int = 1000,
    ):
        self.size = size
        self.accuracy = accuracy
        self.recipe_hash = recipe_hash
        self.weights_hash = _hash(weights)
        self._batch_size = batch_size
        self._model = digit_network.build(size, recipe or TrainingRecipe())
        self._model.set_weights(list(weights))
        self._forward = tf.function(self._forward_batch, autograph=False)

    def outputs(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits [n, 10] and the penultimate layer, the features [n, 64], float32.

        Args:
          images: [n, size, size, 1], uint8 in 0..255, or floats in [-1, 1].

        Raises:
          ConfigurationError: another shape.
        """
        images = np.asarray(images)
        expected = (self.size, self.size, 1)
        if images.shape[1:] != expected or len(images) == 0:
            raise ConfigurationError(
                f"images have the shape {images.shape}: this classifier reads "
                f"[n, {self.size}, {self.size}, 1] with n at least 1"
            )
        logits, features = [], []
        for first in range(0, len(images), self._batch_size):
            chunk = images[first : first + self._batch_size]
            # One traced shape: the last batch is filled up and cut again.
            missing = self._batch_size - len(chunk)
            padded = np.pad(chunk, ((0, missing), (0, 0), (0, 0), (0, 0)))
            outputs = [output.numpy()[: len(chunk)] for output in self._forward(padded)]
            logits.append(outputs[0])
            features.append(outputs[1])
        return np.concatenate(logits), np.concatenate(features)

    def _forward_batch(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if images.dtype == tf.uint8:
            images = tf.cast(images, tf.float32) / 127.5 - 1.0
        logits, features = self._model(tf.cast(images, tf.float32), training=False)
        return logits, features


def load_or_train(
    digits: Digits,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    recipe: TrainingRecipe | None = None,
) -> DigitClassifier:
    """The classifier for `digits`: from the cache if it is there, else trained into it.

    Args:
      digits: the data set; its size is that of the classifier.
      cache_dir: None means $LOGAN_TF_CACHE, else $XDG_CACHE_HOME/logan_tf, else
        ~/.cache/logan_tf. A cache that cannot be written costs a warning only.
      recipe: None: the data set's own, of `STANDARDS`.

    Raises:
      ConfigurationError: images smaller than 8 x 8, or not square with one channel.
      BadDataError: it reads less of the held-out digits than their standard.
    """
    standard = STANDARDS.get(digits.name, OTHERS)
    recipe = recipe or standard.recipe
    size = _checked_size(digits)
    train, held_out = digits.arrays("train"), digits.arrays("test")
    constants = np.frombuffer(repr(recipe).encode(), np.uint8)
    recipe_hash = _hash([constants, *train, *held_out])
    directory = Path(cache_dir) if cache_dir is not None else installation.cache_dir()
    path = directory / f"digit_classifier_{size}_{recipe_hash}.npz"
    cached = _read(path)
    if cached is None:
        print(f"training the classifier of {digits.name}, once: minutes", flush=True)
    weights = cached or digit_network.train(*train, recipe)
    classifier = DigitClassifier(
        size, weights, accuracy=math.nan, recipe_hash=recipe_hash, recipe=recipe
    )
    read = classifier.outputs(held_out[0])[0].argmax(axis=1)
    classifier.accuracy = float(np.mean(read == held_out[1]))
    if classifier.accuracy < standard.least_accuracy:
        raise BadDataError(
            f"the classifier of {digits.name} reads only {classifier.accuracy:.1%} of "
            f"its held-out pictures, and {standard.least_accuracy:.1%} is the least: "
            f"remove the folder {digits.name} of data_dir, and it is prepared again"
        )
    if cached is None:
        _write(path, weights, classifier.accuracy)
    return classifier


def _checked_size(digits: Digits) -> int:
    size = digits.shape[0]
    if tuple(digits.shape) != (size, size, 1) or size < LEAST_SIZE:
        raise ConfigurationError(
            f"digits have the shape {digits.shape}: the classifier reads square images "
            f"of one channel, {LEAST_SIZE} x {LEAST_SIZE} at least"
        )
    return size


def _read(path: Path) -> list[np.ndarray] | None:
    """The cached weights, or None where there are none that are whole."""
    if not path.is_file():
        return None
    try:
        found = small_files.read_arrays(path)
        weights = [x for name, x in found.items() if name.startswith("weight_")]
        if str(found["weights_hash"]) == _hash(weights):
            return weights
    except Exception as error:  # whatever NumPy and zipfile say of damage
        logging.warning("%s: %s", path, first_line(error))
    logging.warning("%s is corrupt: training the digit classifier again", path)
    return None


def _write(path: Path, weights: Sequence[np.ndarray], accuracy: float) -> None:
    contents: dict[str, Any] = {f"weight_{i}": w for i, w in enumerate(weights)}
    contents |= {"accuracy": accuracy, "weights_hash": _hash(weights)}
    try:
        with atomic_file.replacing(path) as file:
            np.savez(file, **contents)
    except OSError as error:
        logging.warning(
            "the digit classifier is not cached (%s): set $LOGAN_TF_CACHE to a "
            "directory that can be written",
            error,
        )


def _hash(arrays: Sequence[np.ndarray]) -> str:
    """16 hexadecimal digits that tell contents, shapes and types apart."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
