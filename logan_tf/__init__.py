"""LOGAN: latent optimisation for generative adversarial networks (Wu et al. 2019).

    import logan_tf
    run = logan_tf.train("stacked_digits_logan", total_steps=500)  # or logan_tf.load
    run.sample(64), run.evaluate(), run.metrics, run.export(), run.show()
    model = logan_tf.LOGAN(generator, discriminator)  # a keras.Model

Importing this package or any of its subpackages imports no TensorFlow, so that command
lines answer at once; a name of the list below does when it is first used.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "LOGAN": "logan_tf.api.keras_model",
    "load": "logan_tf.api.training_runs",
    "train": "logan_tf.api.training_runs",
}

__all__ = ["LOGAN", "__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
