"""Halving and doubling of feature maps, differentiable any number of times.

Doubling by nearest neighbors and averaging are each other's adjoint, up to the factor
4, and each is written as the other's gradient: a derivative of any order is again one
of these two kernels. (The gradient of a reshape and a mean, which says the same, takes
fifty times as long on a CPU.)
"""

from collections.abc import Callable

import tensorflow as tf

from logan_tf.layers.custom_gradients import custom_gradient


@custom_gradient
def upsample(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Each pixel four times: [batch, h, w, channels] → [batch, 2 h, 2 w, channels].

    Nearest neighbors, and nothing inserted: zeros in between would make it another
    network.
    """
    height, width, channels = x.shape[1:]
    twice = tf.tile(x[:, :, None, :, None, :], [1, 1, 2, 1, 2, 1])
    y = tf.reshape(twice, [-1, 2 * height, 2 * width, channels])
    return y, lambda cotangent: 4 * average_pool(cotangent)


@custom_gradient
def average_pool(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Means of 2×2 pixels: [batch, h, w, channels] → [batch, h / 2, w / 2, channels].

    h and w are even.
    """
    y = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    return y, lambda cotangent: upsample(cotangent) / 4


def max_pool(x: tf.Tensor) -> tf.Tensor:
    """Maxima of 2×2 pixels: [batch, h, w, channels] → [batch, h / 2, w / 2, channels].

    It is computed as the mean of the largest of four pixels (one, unless several are
    equally large), which a constant selects, so that no derivative has a path through
    the choice. TensorFlow's second derivative of `max_pool2d` is right too, but XLA
    compiles it for float32 alone.

    h and w are even.
    """
    constant = tf.stop_gradient(x)
    smaller = constant < upsample(_largest(constant))
    share = 1 - average_pool(tf.cast(smaller, x.dtype))
    # A selection, not a product: 0 · −∞ is NaN.
    return average_pool(tf.where(smaller, tf.zeros([], x.dtype), x)) / share


def _largest(x: tf.Tensor) -> tf.Tensor:
    """`max_pool2d` takes no number below the least finite one, and drops NaN."""
    height, width, channels = x.shape[1:]
    rows = tf.reshape(x, [-1, height // 2, 2, width, channels])
    higher = tf.maximum(rows[:, :, 0], rows[:, :, 1])
    pairs = tf.reshape(higher, [-1, height // 2, width // 2, 2, channels])
    return tf.maximum(pairs[:, :, :, 0], pairs[:, :, :, 1])
