"""Batch normalization on batch statistics, exact to second order.

Keras's layer, `keras.ops.moments` and `tf.nn.moments` hold the mean inside the variance
constant. That leaves the first derivative right (the cross term vanishes) and makes the
second wrong: a relative error of .46 against finite differences. LOGAN differentiates
twice, so the variance here is E[x²] − E[x]², differentiated whole.

That difference cancels in float32 where a mean is many deviations. So x is that of the
input less a constant near its mean, which changes no derivative.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from logan_tf.layers import replication
from logan_tf.layers.affine import scale_and_shift
from logan_tf.layers.custom_gradients import custom_gradient


class Statistics(NamedTuple):
    """Mean and variance of each channel, float [channels], over batch and replicas."""

    mean: tf.Tensor
    variance: tf.Tensor


# Replicas are threads that interleave at all_reduce, so each has a collection of its
# own.
_thread = threading.local()


@contextlib.contextmanager
def collected_statistics() -> Iterator[list[tuple["Normalization", Statistics]]]:
    """Collects what every batch normalization inside the context finds of its batch.

    Enter it where the network is called (inside the `tf.function` and the replica's
    function) and return the statistics from there.
    """
    _thread.collected = []
    try:
        yield _thread.collected
    finally:
        _thread.collected = None


@contextlib.contextmanager
def given_statistics(given: Mapping[int, Statistics]) -> Iterator[None]:
    """Layers, by id, sample inside the context with these standing statistics.

    So a graph that collects statistics can sample with them and change no variable,
    which a server's concurrent requests share.
    """
    _thread.given = given
    try:
        yield
    finally:
        _thread.given = {}


@custom_gradient
def _batch_moments(x: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable]:
    """E[x] and E[x²] of each channel (last axis) of one replica's part.

    The gradient is written out, a / n + 2 x b / n for cotangents a and b of n elements
    a channel: TensorFlow's own would first tile a and b to the shape of x. It is made
    of differentiable operations, so every higher derivative follows from it.
    """
    axes = list(range(x.shape.rank - 1))
    number = tf.cast(tf.size(x) // tf.shape(x)[-1], x.dtype)

    def gradient(of_mean: tf.Tensor, of_mean_square: tf.Tensor) -> tf.Tensor:
        return x * (2 / number * of_mean_square) + of_mean / number

    return (tf.reduce_mean(x, axes), tf.reduce_mean(tf.square(x), axes)), gradient


class Normalization(keras.layers.Layer):
    """What batch normalizations share: the batch's moments, and standing statistics.

    In training the moments are those of the batch, over all replicas of a
    `tf.distribute` strategy, and no state changes. For sampling they are the *standing
    statistics* `standing_mean` and `standing_variance` [channels], which somebody sets
    (`sampling.standing`): the layer keeps no moving averages. Moments and statistics
    are of the variables' dtype, whatever the layer computes in.

    In mixed precision the layer computes in the dtype of its variables, and rounds what
    comes out: E[x²] − E[x]² of bfloat16 numbers would be mostly rounding.

    Args:
      epsilon: added to the variance.

    Attributes:
      references: how many examples come first in every batch that the others are
        normalized by (`networks.around.virtual`); 0: all are normalized by all.
    """

    def __init__(self, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.references = 0

    def build_statistics(self, channels: int) -> None:
        """Makes the standing statistics: 0 and 1 until somebody sets them."""
        self.standing_mean = self._constant("standing_mean", channels, "zeros")
        self.standing_variance = self._constant("standing_variance", channels, "ones")

    def normalize(
        self, x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """(x − mean) / √(variance + ε) · scale + offset.

        Args:
          x: [batch, …, channels].
          scale: [channels], or whatever broadcasts to x.
          offset: as `scale`.
          training: whether by the batch's moments or by the standing statistics.

        Returns:
          Tensor of x's shape, in the policy's compute dtype.
        """
        x = tf.cast(x, self.variable_dtype)
        if self.references:
            x, (mean, variance) = self._virtual(x)
        elif training:
            center, x, (mean, variance) = self._centered(x)
            if (collected := getattr(_thread, "collected", None)) is not None:
                collected.append((self, Statistics(mean + center, variance)))
        else:
            given = getattr(_thread, "given", {})
            center, variance = given.get(id(self)) or self.standing_statistics()
            x, mean = x - center, tf.zeros_like(center)
        gain = tf.cast(scale, mean.dtype) * tf.math.rsqrt(variance + self.epsilon)
        shift = tf.cast(offset, mean.dtype) - mean * gain
        return tf.cast(scale_and_shift(x, gain, shift), self.compute_dtype)

    def _centered(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Statistics]:
        """A constant near the mean, x less it, and the statistics of that.

        The constant is the mean of each replica's first example: a deviation or two
        from the mean of all, which is near enough, and a batch less to read.
        """
        first = tf.reduce_mean(x[:1], list(range(x.shape.rank - 1)))
        center = replication.averaged(tf.stop_gradient(first))
        x = x - center
        mean, mean_square = replication.averaged(_batch_moments(x))
        # Rounding can take E[x²] − E[x]² of a constant channel below zero.
        variance = tf.nn.relu(mean_square - tf.square(mean))
        return center, x, Statistics(mean, variance)

    def _virtual(self, x: tf.Tensor) -> tuple[tf.Tensor, Statistics]:
        """x less a constant, and statistics [batch, 1, …, channels] of that.

        Of the first examples those that they have together, of each other one those and
        its own.
        """
        axes = list(range(1, x.shape.rank - 1))
        x = x - tf.stop_gradient(tf.reduce_mean(x[:1], [0, *axes]))
        own = tf.reduce_mean(x, axes, True), tf.reduce_mean(tf.square(x), axes, True)
        others = tf.range(tf.shape(x)[0]) >= self.references
        share = tf.cast(others, x.dtype) / (self.references + 1)
        share = tf.reshape(share, (-1, *[1] * (x.shape.rank - 1)))
        of_references = _batch_moments(x[: self.references])
        mean, mean_square = (
            common + share * (each - common)
            for common, each in zip(of_references, own, strict=True)
        )
        return x, Statistics(mean, tf.nn.relu(mean_square - tf.square(mean)))

    def standing_statistics(self) -> Statistics:
        """The standing statistics as they stand."""
        return Statistics(self.standing_mean.value, self.standing_variance.value)

    def set_standing_statistics(self, statistics: Statistics) -> None:
        """Takes these [channels] as the standing statistics."""
        self.standing_mean.assign(statistics.mean)
        self.standing_variance.assign(statistics.variance)

    def _constant(self, name: str, channels: int, initializer: str) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(channels,),
            initializer=initializer,
            trainable=False,
            autocast=False,
        )


class BatchNormalization(Normalization):
    """Normalizes each channel (last axis), then scales and shifts it."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        channels = input_shape[-1]
        shape = (channels,)
        self.scale = self.add_weight(
            name="scale", shape=shape, initializer="ones", autocast=False
        )
        self.offset = self.add_weight(
            name="offset", shape=shape, initializer="zeros", autocast=False
        )
        self.build_statistics(channels)

    def call(self, x: tf.Tensor, training: bool = True) -> tf.Tensor:
        """[batch, …, channels] → the same shape."""
        return self.normalize(x, self.scale.value, self.offset.value, training)
