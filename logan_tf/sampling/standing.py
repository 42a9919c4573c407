"""Standing statistics: batch-norm moments for sampling (Brock et al. 2018, App. B).

Training keeps no moving averages. Before sampling, the moments of many batches are
averaged for the very weights that will sample, so they depend on the checkpoint, the
number of batches, the latents' distribution (truncation, latent steps) and the seed.
"""

import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from logan_tf.layers.batch_normalization import (
    Normalization,
    Statistics,
    collected_statistics,
    given_statistics,
)

Draw = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class StandingStatistics:
    """The standing statistics of one generator's layers.

    Collecting them changes nothing, so that it can be part of an exported graph.

    Args:
      generator: called as `generator(latents, labels, training)`, and built.
    """

    def __init__(self, generator: keras.Model) -> None:
        self._generator = generator
        self._layers = [
            layer
            for layer in generator._flatten_layers(include_self=False)
            if isinstance(layer, Normalization) and not layer.references
        ]

    def collect(self, num_batches: int, draw: Draw) -> list[Statistics]:
        """The mean and variance of many batches together, each with the same weight.

        Args:
          num_batches: at least 1.
          draw: number of a batch, int64 [] -> latents [n, dim] and labels [n]. Not
            called for a generator without batch normalization.

        Returns:
          The layers' statistics, for `given` and `assign`.

        Raises:
          ValueError: no batches.
        """
        if num_batches < 1:
            raise ValueError("standing statistics need at least one batch of latents")
        if not self._layers:
            return []
        arrays = [
            tf.TensorArray(layer.standing_mean.dtype, num_batches)
            for layer in self._layers
            for _ in Statistics._fields
        ]

        def add(index: tf.Tensor, arrays: list[tf.TensorArray]) -> tuple:
            found = tf.nest.flatten(self._of_batch(*draw(index)))
            position = tf.cast(index, tf.int32)
            pairs = zip(arrays, found, strict=True)
            return index + 1, [array.write(position, value) for array, value in pairs]

        # One batch at a time, or the memory of ten would be needed.
        _, arrays = tf.while_loop(
            lambda index, _: index < num_batches,
            add,
            (tf.constant(0, tf.int64), arrays),
            parallel_iterations=1,
        )
        stacked = [array.stack() for array in arrays]
        return list(map(_together, stacked[::2], stacked[1::2]))

    def assigned(self) -> list[Statistics]:
        """The statistics that the layers hold."""
        return [layer.standing_statistics() for layer in self._layers]

    def assign(self, statistics: list[Statistics]) -> None:
        """Has the layers hold what `collect` returned."""
        for layer, each in zip(self._layers, statistics, strict=True):
            layer.set_standing_statistics(each)

    @contextlib.contextmanager
    def given(self, statistics: list[Statistics]) -> Iterator[None]:
        """Inside the context the generator samples with these, whatever it holds."""
        by_layer = zip(map(id, self._layers), statistics, strict=True)
        with given_statistics(dict(by_layer)):
            yield

    def _of_batch(self, latents: tf.Tensor, labels: tf.Tensor) -> list[Statistics]:
        with collected_statistics() as collected:
            self._generator(latents, labels, training=True)
        of_layer = {id(layer): statistics for layer, statistics in collected}
        return [of_layer[id(layer)] for layer in self._layers]


def _together(means: tf.Tensor, variances: tf.Tensor) -> Statistics:
    """Those of all batches from those of each, [batches, channels].

    The variance within batches and that between their means (Chan et al. 1983, of equal
    parts): E[x²] − E[x]² of all would cancel in float32 where a mean is many
    deviations.
    """
    mean = tf.reduce_mean(means, 0)
    between = tf.reduce_mean(tf.square(means - mean), 0)
    return Statistics(mean, tf.reduce_mean(variances, 0) + between)
