"""Keras networks of any kind, called as the game calls them."""

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError


class Adapted:
    """A network that may take no labels, or have a list of two inputs.

    Everything else is the network's own.

    Args:
      network: called with (inputs), (inputs, labels) or ([inputs, labels]).
      **attributes: that it is to have besides.
    """

    def __init__(self, network: keras.Model, **attributes: Any) -> None:
        self._network = network
        self._takes_labels = "labels" in inspect.signature(network.call).parameters
        self._takes_both = len(getattr(network, "inputs", None) or ()) == 2
        self.__dict__.update(attributes)

    def __call__(
        self,
        inputs: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        if self._takes_both:
            return self._network([inputs, labels], training=training)
        given = (labels,) if self._takes_labels else ()
        return self._network(inputs, *given, training=training)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


class Scores(Adapted):
    """A discriminator that may return scores [batch, 1]."""

    def __call__(self, *inputs: Any, **options: Any) -> tf.Tensor:
        scores = super().__call__(*inputs, **options)
        if scores.shape.rank == 2 and scores.shape[1] == 1:
            return tf.squeeze(scores, 1)
        return scores


def require_objects(**given: tuple[Any, Any]) -> None:
    """Refuses what is no object of its kind, where `fit` would fail of it much later.

    Args:
      **given: by argument, a value and the type that it must have; None is of any.

    Raises:
      ConfigurationError: for the first that is none.
    """
    for name, (value, kind) in given.items():
        if isinstance(value, type):
            raise ConfigurationError(
                f"{name} is the class {value.__name__}: write {value.__name__}(…)"
            )
        if value is not None and not isinstance(value, kind):
            wanted = "function" if kind is Callable else kind.__name__
            raise ConfigurationError(f"{name} must be a {wanted}, not {value!r}")


@contextlib.contextmanager
def shapes_that_fit() -> Iterator[None]:
    """Turns what Keras says of shapes into one line."""
    try:
        yield
    except ConfigurationError:
        raise
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        cause = next((x for x in lines if x and not x.startswith("Exception")), "")
        raise ConfigurationError(
            f"the networks do not fit together ({cause}): the generator makes images "
            "of latents [batch, latent_dim], the discriminator scores of images"
        ) from error


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


def warn_of_layers(*networks: keras.Model) -> None:
    """Warns once of layers that do not do here what they do elsewhere.

    A game is played as a function of the weights, as often as one likes: what a layer
    would change or draw while it is called stays as it is.
    """
    for network in networks:
        for layer in network._flatten_layers(include_self=False):
            if isinstance(layer, keras.layers.BatchNormalization):
                fault = "has a wrong second derivative and no moving averages"
            elif isinstance(layer, keras.layers.SpectralNormalization):
                fault = "does not normalize"
            elif hasattr(layer, "seed_generator"):
                fault = "draws the same numbers in every step, or none"
            else:
                continue
            warnings.warn(
                f"Keras's {type(layer).__name__} ({layer.name}) {fault} in LOGAN: "
                "logan_tf.layers has batch and spectral normalization",
                stacklevel=3,
            )
            return
