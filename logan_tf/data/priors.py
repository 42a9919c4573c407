"""What latents are drawn from, and how draws are truncated for sampling."""

import math
from collections.abc import Callable

import tensorflow as tf

from logan_tf.data.random_access import uniform

Prior = Callable[[tuple[int, ...], tf.Tensor], tf.Tensor]
"""(shape, seed: int tensor [2]) -> float32 tensor of the shape."""

Truncate = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""(latents [batch, dim] of a prior, s in (0, 1]) -> truncated latents, [batch, dim]."""


def scaled(latents: tf.Tensor, truncation: tf.Tensor) -> tf.Tensor:
    """s z: draws of U(-1, 1) become draws of U(-s, s), as LOGAN truncates (Fig. 3b)."""
    return truncation * latents


def resampled(latents: tf.Tensor, truncation: tf.Tensor) -> tf.Tensor:
    """Draws of N(0, 1) become draws of N(0, 1) given |z| < 2 s; s = 1 leaves them.

    That is what resampling a value until it is small enough gives (Brock et al. 2018,
    sec. 3.1, whose thresholds go from 2 to .04), here by the quantile function:
    F^-1(F(-t) + F(z) (F(t) - F(-t))), F the normal distribution. So the same z is
    pushed inwards, no more numbers are drawn, and every shape is static.
    """
    threshold = 2 * truncation
    outside = _normal_distribution(-threshold)
    # Rounding must not make a draw the end of the interval, an infinite quantile.
    share = tf.clip_by_value(_normal_distribution(latents), 1e-6, 1 - 1e-6)
    inside = tf.math.ndtri(outside + share * (1 - 2 * outside))
    return tf.where(truncation < 1, inside, latents)


def _normal_distribution(x: tf.Tensor) -> tf.Tensor:
    return tf.math.erfc(-x / math.sqrt(2)) / 2


def _truncated_by(truncate: Truncate) -> Callable[[Prior], Prior]:
    def mark(prior: Prior) -> Prior:
        prior.truncate = truncate  # type: ignore[attr-defined]
        return prior

    return mark


def truncated(prior: Prior, latents: tf.Tensor, truncation: tf.Tensor) -> tf.Tensor:
    """A prior's draws, truncated as is usual for it; s z where nothing is known."""
    return getattr(prior, "truncate", scaled)(latents, truncation)


@_truncated_by(scaled)
def uniform_prior(shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
    """Draws a float32 tensor of `shape` from U(-1, 1); `seed`: int tensor [2]."""
    return 2 * uniform(shape, seed) - 1


@_truncated_by(resampled)
def normal_prior(shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
    """Draws a float32 tensor of `shape` from N(0, I); `seed`: int tensor [2]."""
    return tf.random.stateless_normal(shape, seed, alg="philox")
