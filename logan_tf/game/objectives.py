"""The players' losses as pure functions of the discriminator's scores.

Each takes the scores of real and of generated samples, float [batch], before any
squashing, and returns the mean loss of each player. Other ranks are refused: [batch, 1]
beside [batch] would broadcast to [batch, batch] without a word. Either player's loss
may read both scores; where a generator's does not read the real ones (all but
`relativistic`) they cost nothing in an update of the generator alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from logan_tf.errors import ConfigurationError


class Losses(NamedTuple):
    """Scalars, each to be minimized by its player."""

    discriminator: tf.Tensor
    generator: tf.Tensor


Objective = Callable[[tf.Tensor, tf.Tensor], Losses]


def hinge(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))) against −D(G(z)); LOGAN eq. 38 and 44."""
    require_scores(real_logits, fake_logits)
    return Losses(
        discriminator=tf.reduce_mean(tf.nn.relu(1 - real_logits))
        + tf.reduce_mean(tf.nn.relu(1 + fake_logits)),
        generator=-tf.reduce_mean(fake_logits),
    )


def wasserstein(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """D(G(z)) − D(x) against −D(G(z)); Arjovsky et al. 2017, LOGAN eq. 2."""
    require_scores(real_logits, fake_logits)
    return Losses(
        discriminator=tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits),
        generator=-tf.reduce_mean(fake_logits),
    )


def non_saturating(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """Cross-entropy against −ln σ(D(G(z))); Goodfellow et al. 2014, §3."""
    return Losses(
        discriminator=_cross_entropy(real_logits, fake_logits),
        generator=tf.reduce_mean(tf.math.softplus(-fake_logits)),
    )


def minimax(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """Cross-entropy against ln(1 − σ(D(G(z)))); Goodfellow et al. 2014, eq. 1."""
    return Losses(
        discriminator=_cross_entropy(real_logits, fake_logits),
        generator=-tf.reduce_mean(tf.math.softplus(fake_logits)),
    )


def least_squares(
    real_logits: tf.Tensor,
    fake_logits: tf.Tensor,
    fake_target: float = 0.0,
    real_target: float = 1.0,
    generator_target: float = 1.0,
) -> Losses:
    """½(D(x) − b)² + ½(D(G(z)) − a)² against ½(D(G(z)) − c)²; Mao et al. 2017, eq. 2.

    Args:
      real_logits: D(x), [batch].
      fake_logits: D(G(z)), [batch].
      fake_target: a.
      real_target: b. With b − c = 1 and b − a = 2 the generator minimizes a Pearson χ²
        divergence (their eq. 8: −1, 1, 0); the defaults are their eq. 9.
      generator_target: c.
    """
    require_scores(real_logits, fake_logits)
    return Losses(
        discriminator=0.5 * tf.reduce_mean(tf.square(real_logits - real_target))
        + 0.5 * tf.reduce_mean(tf.square(fake_logits - fake_target)),
        generator=0.5 * tf.reduce_mean(tf.square(fake_logits - generator_target)),
    )


def smoothed(
    real_logits: tf.Tensor, fake_logits: tf.Tensor, target: float = 0.9
) -> Losses:
    """`non_saturating` with one-sided label smoothing; Salimans et al. 2016, §3.4.

    −t ln σ(D(x)) − (1 − t) ln(1 − σ(D(x))) − ln(1 − σ(D(G(z)))): the best score of real
    images is ln t / (1 − t) instead of infinity.

    Args:
      real_logits: D(x), [batch].
      fake_logits: D(G(z)), [batch].
      target: t in (½, 1], of real images; generated ones keep 0.

    Raises:
      ConfigurationError: for a target out of range.
    """
    if not 0.5 < target <= 1:
        raise ConfigurationError(f"smoothed.target must be in (0.5, 1], not {target}")
    plain = non_saturating(real_logits, fake_logits)
    # −ln(1 − σ(s)) + ln σ(s) = s.
    return plain._replace(
        discriminator=plain.discriminator + (1 - target) * tf.reduce_mean(real_logits)
    )


def relativistic(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """−ln σ(D(x) − D(G(z))) against −ln σ(D(G(z)) − D(x)), of pairs by index.

    Jolicoeur-Martineau 2018; with `R1` and `R2` R3GAN's (Huang et al. 2024, eq. 2).
    """
    require_scores(real_logits, fake_logits)
    lead = real_logits - fake_logits
    return Losses(
        discriminator=tf.reduce_mean(tf.math.softplus(-lead)),
        generator=tf.reduce_mean(tf.math.softplus(lead)),
    )


def _cross_entropy(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """−ln σ(D(x)) − ln(1 − σ(D(G(z)))), with softplus for its range."""
    require_scores(real_logits, fake_logits)
    return tf.reduce_mean(tf.math.softplus(-real_logits)) + tf.reduce_mean(
        tf.math.softplus(fake_logits)
    )


def require_scores(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> None:
    """Raises ValueError for other ranks than [batch]."""
    for name, logits in (("real", real_logits), ("fake", fake_logits)):
        if logits.shape.rank != 1:
            raise ValueError(
                f"{name}_logits must have shape [batch], not {logits.shape}: squeeze "
                "the "
                "discriminator's last axis"
            )
