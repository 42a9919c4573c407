"""The players' losses as pure functions of the discriminator's scores.

Each takes the scores of real and of generated samples, float [batch], before any
squashing, and returns the mean loss of each player. Other ranks are refused: [batch, 1]
beside [batch] would broadcast to [batch, batch] without a word. Either player's loss
may read both scores; no generator's loss here reads the real ones, which then cost
nothing in an update of the generator alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Losses(NamedTuple):
    """Scalars, each to be minimized by its player."""

    discriminator: tf.Tensor
    generator: tf.Tensor


Objective = Callable[[tf.Tensor, tf.Tensor], Losses]


def hinge(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))) against −D(G(z)); LOGAN eq. 38 and 44."""
    _check(real_logits, fake_logits)
    return Losses(
        discriminator=tf.reduce_mean(tf.nn.relu(1 - real_logits))
        + tf.reduce_mean(tf.nn.relu(1 + fake_logits)),
        generator=-tf.reduce_mean(fake_logits),
    )


def wasserstein(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """D(G(z)) − D(x) against −D(G(z)); Arjovsky et al. 2017, LOGAN eq. 2."""
    _check(real_logits, fake_logits)
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


def least_squares(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> Losses:
    """½(D(x) − 1)² + ½D(G(z))² against ½(D(G(z)) − 1)²; Mao et al. 2017, eq. 9."""
    _check(real_logits, fake_logits)
    return Losses(
        discriminator=0.5 * tf.reduce_mean(tf.square(real_logits - 1))
        + 0.5 * tf.reduce_mean(tf.square(fake_logits)),
        generator=0.5 * tf.reduce_mean(tf.square(fake_logits - 1)),
    )


def _cross_entropy(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """−ln σ(D(x)) − ln(1 − σ(D(G(z)))), with softplus for its range."""
    _check(real_logits, fake_logits)
    return tf.reduce_mean(tf.math.softplus(-real_logits)) + tf.reduce_mean(
        tf.math.softplus(fake_logits)
    )


def _check(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> None:
    for name, logits in (("real", real_logits), ("fake", fake_logits)):
        if logits.shape.rank != 1:
            raise ValueError(
                f"{name}_logits must have shape [batch], not {logits.shape}: squeeze "
                "the "
                "discriminator's last axis"
            )
