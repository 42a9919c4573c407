"""TF-GAN's arithmetic; the only module that knows of that package.

`import tensorflow_gan` fails: TF 2.16 dropped `tf.estimator`, Python 3.12 `distutils`.
The module with the metrics needs neither, so its packages are registered empty, with
the path where their modules lie, and it is imported alone. It names TensorFlow
Probability for covariances that nothing here asks it for; an empty module stands in,
because the real one wants `distutils` too and brings a second Keras. TensorFlow itself
is imported with the first number, for pictures are drawn without it.
"""

import functools
import importlib
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np

from logan_tf.errors import ConfigurationError

_PACKAGES = ("tensorflow_gan", "tensorflow_gan.python", "tensorflow_gan.python.eval")
_PROBABILITY = "tensorflow_probability"


def classifier_score(logits: np.ndarray) -> float:
    """exp of the mean KL(p(y|x) || p(y)) of logits [n, classes], in float64."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return float(
            _classifier_metrics().classifier_score_from_logits(
                tf.constant(logits, tf.float64)
            )
        )


def kernel_distance(
    real: np.ndarray, generated: np.ndarray, block_size: int
) -> tuple[float, float]:
    """The mean of the blocks' unbiased MMD², kernel (x·y/d + 1)³, and its error.

    Args:
      real: features [n, d].
      generated: features [m, d], in random order as the real ones.
      block_size: at most so many of each in a block.

    Returns:
      The distance and its standard error, NaN if there is one block.
    """
    import tensorflow as tf

    with tf.device("CPU:0"):
        function = (
            _classifier_metrics().kernel_classifier_distance_and_std_from_activations
        )
        distance, error = function(
            tf.constant(real, tf.float64),
            tf.constant(generated, tf.float64),
            max_block_size=block_size,
        )
        return float(distance), float(error)


@functools.cache
def _classifier_metrics() -> types.ModuleType:
    spec = importlib.util.find_spec(_PACKAGES[0])
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "tensorflow-gan is not installed, and the metrics are its: pip install "
            "tensorflow-gan"
        )
    folder = Path(spec.origin).parent.parent
    for name in _PACKAGES:
        package = types.ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")))]
        sys.modules.setdefault(name, package)
    stand_in = types.ModuleType(_PROBABILITY)
    try:
        sys.modules.setdefault(_PROBABILITY, stand_in)
        return importlib.import_module(f"{_PACKAGES[-1]}.classifier_metrics")
    finally:
        if sys.modules[_PROBABILITY] is stand_in:
            del sys.modules[_PROBABILITY]
