"""Features of a fixed random network: distances between pictures without a download.

Four 3×3 convolutions of stride 2 with ReLU, whose kernels are drawn once for all from a
seed; the features are each map's mean over its positions. Nothing of it was learned, so
its Fréchet distance is no FID: docs/guides/evaluation.md says what such features are
worth.
"""

import functools
import hashlib
import math
from typing import Any

import numpy as np
import tensorflow as tf

from logan_tf.errors import require_at_least
from logan_tf.metrics.classifiers import Outputs

WIDTHS = (16, 32, 64, 128)
_SEED = 20191201


class RandomNetwork:
    """Reads pictures of any size as 240 features; metrics are fid_random and so on.

    Args:
      batch_size: how many images it reads at once.
    """

    suffix = "_random"

    def __init__(self, batch_size: int = 256) -> None:
        require_at_least(1, batch_size=batch_size)
        self._batch_size = batch_size

    def outputs(self, images: np.ndarray) -> Outputs:
        """Reads images uint8 [n, height, width, 1 or 3]; gray ones as equal channels.

        Returns:
          features float32 [n, 240], and neither logits nor confidences.
        """
        parts = [
            self._features(images[first : first + self._batch_size])
            for first in range(0, len(images), self._batch_size)
        ]
        return Outputs(None, np.concatenate(parts), None)

    def fields(self) -> dict[str, Any]:
        """The hash of the kernels, which is the same on every machine."""
        digest = hashlib.sha256()
        for kernel in kernels():
            digest.update(kernel.tobytes())
        return {"classifier": f"random:{digest.hexdigest()[:16]}"}

    def _features(self, images: np.ndarray) -> np.ndarray:
        x = tf.cast(images, tf.float32) / 127.5 - 1.0
        if x.shape[-1] == 1:
            x = tf.image.grayscale_to_rgb(x)
        means = []
        for kernel in kernels():
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME"))
            means.append(tf.reduce_mean(x, [1, 2]))
        return tf.concat(means, axis=-1).numpy()


@functools.cache
def kernels() -> tuple[np.ndarray, ...]:
    """The kernels, float32 [3, 3, inputs, outputs]; of variance 2 / fan-in."""
    generator = np.random.default_rng(_SEED)
    drawn, inputs = [], 3
    for outputs in WIDTHS:
        kernel = generator.standard_normal((3, 3, inputs, outputs))
        drawn.append((kernel * math.sqrt(2 / (9 * inputs))).astype(np.float32))
        inputs = outputs
    return tuple(drawn)
