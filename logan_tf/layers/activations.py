"""Piecewise linear activations whose second derivative costs nothing."""

import tensorflow as tf


def leaky_relu(x: tf.Tensor, slope: float = 0.2) -> tf.Tensor:
    """max(x, slope · x), elementwise, for 0 ≤ slope ≤ 1.

    The second derivative is zero almost everywhere, but TensorFlow's own kernels return
    it as an explicit tensor of zeros, which LOGAN's second-order gradient then
    propagates back through the whole forward graph. Multiplying by a constant mask has
    the same value and first derivative, and no path from the backward pass to x: one
    LOGAN step of SN-GAN 32×32 was 10 % faster.

    Args:
      x: float tensor of any shape.
      slope: of the negative part; 0 is ReLU. The derivative at 0 is `slope`.

    Returns:
      Tensor of x's shape and dtype.
    """
    # tf.cast would take a Python number through float32.
    one, negative = tf.ones([], x.dtype), tf.constant(slope, x.dtype)
    return x * tf.stop_gradient(tf.where(x > 0, one, negative))


def relu(x: tf.Tensor) -> tf.Tensor:
    """max(x, 0), elementwise; see `leaky_relu`."""
    return leaky_relu(x, 0.0)
