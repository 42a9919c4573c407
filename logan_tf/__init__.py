"""LOGAN: latent optimisation for generative adversarial networks (Wu et al. 2019).

    import logan_tf
    model = logan_tf.LOGAN(generator, discriminator)  # a keras.Model

Importing this package or any of its subpackages imports no TensorFlow, so that command
lines answer at once; a name of the list below does when it is first used.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {"LOGAN": "logan_tf.api.keras_model"}

__all__ = ["LOGAN", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
