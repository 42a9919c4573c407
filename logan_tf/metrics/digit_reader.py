"""Reads each channel of a picture as a digit: plain digits and stacked ones alike."""

import functools
import re
from typing import Any

import numpy as np

from logan_tf.data.digits import Digits
from logan_tf.metrics import digit_classifier
from logan_tf.metrics.classifiers import Outputs, confidences
from logan_tf.metrics.digit_classifier import DigitClassifier


class DigitReader:
    """The digits' classifier as a classifier of pictures.

    The classes are the numbers that the channels spell, 10^channels. Their logits are
    the sums of the digits' log-probabilities; the features are those of the channels,
    one after the other. Its metrics end in the data set's name: fid_digits, fid_mnist.

    Args:
      digits: what the classifier was or will be trained on, when it is first needed.
      channels: of the pictures.
      classifier: None: from the cache, or trained into it.
    """

    def __init__(
        self,
        digits: Digits,
        channels: int,
        classifier: DigitClassifier | None = None,
    ) -> None:
        self.suffix = f"_{re.sub('[^a-z0-9]', '_', digits.name)}"
        self._digits = digits
        self._channels = channels
        self._given = classifier

    @functools.cached_property
    def _classifier(self) -> DigitClassifier:
        return self._given or digit_classifier.load_or_train(self._digits)

    def outputs(self, images: np.ndarray) -> Outputs:
        """Reads images [n, size, size, channels], uint8.

        Returns:
          logits float32 [n, 10^channels], features float32 [n, 64 channels], and
          the confidences, each the least of the picture's digits.

        Raises:
          ConfigurationError: images of another shape.
        """
        count, *_, channels = images.shape
        singles = np.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:3], 1)
        logits, features = self._classifier.outputs(singles)
        certain = confidences(logits).reshape(count, channels).min(axis=1)
        shifted = logits - logits.max(axis=1, keepdims=True)
        shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        joint = np.zeros((count, 1), np.float32)
        for digit in np.moveaxis(shifted.reshape(count, channels, -1), 1, 0):
            joint = (joint[:, :, None] + digit[:, None, :]).reshape(count, -1)
        return Outputs(joint, features.reshape(count, -1), certain)

    def fields(self) -> dict[str, Any]:
        """The recipe's hash is the same on every machine, the weights' is not."""
        return {
            "classifier": self._classifier.recipe_hash,
            "classifier_weights": self._classifier.weights_hash,
            "classifier_accuracy": self._classifier.accuracy,
        }
