"""Standing statistics: batch-norm moments for sampling (Brock et al. 2018, App. B).

Training keeps no moving averages. Before sampling, the moments of many batches are
averaged for the very weights that will sample, so they depend on the checkpoint, the
number of batches, the latents' distribution (truncation, latent steps) and the seed.
"""

from collections.abc import Iterable

import keras
import tensorflow as tf

from logan_tf.layers.batch_normalization import (
    BatchNormalization,
    Moments,
    collected_moments,
)


class Collector:
    """Sets the standing statistics of one generator, as often as wanted.

    Args:
      generator: called as `generator(latents, labels, training=True)`.
    """

    def __init__(self, generator: keras.Model) -> None:
        self._layers = [
            layer
            for layer in generator._flatten_layers(include_self=False)
            if isinstance(layer, BatchNormalization)
        ]

        @tf.function(reduce_retracing=True)
        def moments(latents: tf.Tensor, labels: tf.Tensor) -> list[Moments]:
            with collected_moments() as collected:
                generator(latents, labels, training=True)
            of_layer = {id(layer): moments for layer, moments in collected}
            return [of_layer[id(layer)] for layer in self._layers]

        self._moments = moments

    def __call__(self, batches: Iterable[tuple[tf.Tensor, tf.Tensor]]) -> None:
        """Averages the moments over `batches` of latents [n, dim] and labels [n].

        Batches of one size weigh the same as their examples; a generator without batch
        normalization needs none and draws none.
        """
        if not self._layers:
            return
        collected = [self._moments(latents, labels) for latents, labels in batches]
        if not collected:
            raise ValueError("standing statistics need at least one batch of latents")
        for layer, moments in zip(
            self._layers, zip(*collected, strict=True), strict=True
        ):
            means, mean_squares = zip(*moments, strict=True)
            layer.set_standing_moments(
                Moments(tf.reduce_mean(means, 0), tf.reduce_mean(mean_squares, 0))
            )


def collect(
    generator: keras.Model, batches: Iterable[tuple[tf.Tensor, tf.Tensor]]
) -> None:
    """Sets the generator's standing statistics from batches; see `Collector`."""
    Collector(generator)(batches)
