"""Keras networks of any kind, called as the game calls them."""

import inspect
import warnings
from typing import Any

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError


class Adapted:
    """A network that may take no labels, or return scores [batch, 1].

    Everything else is the network's own.

    Args:
      network: called with (inputs) or (inputs, labels).
      **attributes: that it is to have besides.
    """

    def __init__(self, network: keras.Model, **attributes: Any) -> None:
        self._network = network
        self._takes_labels = "labels" in inspect.signature(network.call).parameters
        self.__dict__.update(attributes)

    def __call__(
        self,
        inputs: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        given = (labels,) if self._takes_labels else ()
        outputs = self._network(inputs, *given, training=training)
        if outputs.shape.rank == 2 and outputs.shape[1] == 1:
            return tf.squeeze(outputs, 1)
        return outputs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


def latent_dim_of(generator: keras.Model) -> int:
    """The size of a generator's latents.

    Raises:
      ConfigurationError: if it does not say.
    """
    found = getattr(generator, "latent_dim", None)
    if found is None:
        shape = getattr(generator, "input_shape", None)
        found = shape[-1] if isinstance(shape, tuple) else None
    if found is None:
        raise ConfigurationError(
            "the size of the latents is not known: give LOGAN(…, latent_dim=N), or "
            "the generator a keras.Input"
        )
    return int(found)


def warn_of_normalization(*networks: keras.Model) -> None:
    """Warns once where Keras's own batch normalization would make gradients wrong."""
    for network in networks:
        for layer in network._flatten_layers(include_self=False):
            if isinstance(layer, keras.layers.BatchNormalization):
                warnings.warn(
                    f"{layer.name} is Keras's BatchNormalization, whose second "
                    "derivative is wrong and whose moving averages stay as they are "
                    "here: use logan_tf.layers.batch_normalization.BatchNormalization",
                    stacklevel=3,
                )
                return
