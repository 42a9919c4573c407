"""Noise of any size, hashed on the device from what a sample's latent is.

A batch then need not carry it, and a sample's noise depends neither on the batch around
it nor on the number of replicas. TensorFlow's stateless generators draw other numbers
where XLA compiles them; these do not change.
"""

import math

import tensorflow as tf

_GOLDEN = 0x9E3779B9  # 2³² divided by the golden ratio
_STREAM = 0x85EBCA77  # An odd number: streams have keys of their own.


def uniform(latents: tf.Tensor, shape: tuple[int, ...], stream: int = 0) -> tf.Tensor:
    """Numbers in (0, 1) of each sample, a hash of its latent's first two coordinates.

    Args:
      latents: float [batch, 2 or more], of a continuous prior and not yet moved: the
        noise is a constant to whoever differentiates, so it must not depend on weights.
      shape: of one sample's noise.
      stream: 0 or more; each purpose has its own.

    Returns:
      [batch, *shape], of the latents' dtype; multiples of 2⁻²⁴, neither 0 nor 1.
    """
    bits = tf.bitcast(tf.cast(latents[:, :2], tf.float32), tf.uint32)
    key = tf.constant((_GOLDEN + stream * _STREAM) % 2**32, tf.uint32)
    first, second = _mixed(bits[:, :1]), _mixed(bits[:, 1:] ^ key)
    counters = tf.range(math.prod(shape), dtype=tf.int32)[None]
    counters = tf.cast(counters, tf.uint32) * tf.constant(_GOLDEN, tf.uint32)
    hashed = _mixed(_mixed(first + counters) ^ second)
    # 23 bits and a half are exact in float32: neither 0 nor 1, which ndtri sends away.
    shifted = tf.bitwise.right_shift(hashed, tf.constant(9, tf.uint32))
    numbers = (tf.cast(tf.cast(shifted, tf.int32), tf.float32) + 0.5) / 2**23
    drawn = tf.stop_gradient(tf.cast(numbers, latents.dtype))
    return tf.reshape(drawn, (-1, *shape))


def normal(latents: tf.Tensor, shape: tuple[int, ...], stream: int = 0) -> tf.Tensor:
    """As `uniform`, of N(0, 1); at most 5.3 from 0."""
    numbers = tf.cast(uniform(latents, shape, stream), tf.float32)
    return tf.stop_gradient(tf.cast(tf.math.ndtri(numbers), latents.dtype))


def _mixed(bits: tf.Tensor) -> tf.Tensor:
    """MurmurHash3's finalizer (Appleby 2011): each input bit flips half the output."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        bits ^= tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32))
        bits *= tf.constant(factor, tf.uint32)
    return bits
