"""The latents' move in one round, and what there is to watch in it."""

import math
from typing import NamedTuple

import tensorflow as tf

from logan_tf.game.latent import LatentOptimizer
from logan_tf.game.replicas import all_replicas

Metrics = dict[str, tf.Tensor]


class Move(NamedTuple):
    """z → z' of this replica's samples, and what it costs.

    Attributes:
      latents: z', [batch, dim].
      delta: Δz, [batch, dim].
      regularizer: this replica's share of R_z.
      scores: f(z) [batch] where it was asked for.
    """

    latents: tf.Tensor
    delta: tf.Tensor
    regularizer: tf.Tensor
    scores: tf.Tensor | None

    def metrics(
        self, optimizer: LatentOptimizer | None, fake_logits: tf.Tensor
    ) -> Metrics:
        """Scalars by name, each a mean over the samples.

        Args:
          optimizer: that moved the latents.
          fake_logits: f(z'), [batch].
        """
        if optimizer is None or self.scores is None:
            gain, clipped = tf.zeros([]), tf.zeros([])
        else:
            gain = tf.reduce_mean(fake_logits - self.scores)
            moved = self.latents[:, : optimizer.num_optimized(self.latents.shape[-1])]
            low, high = optimizer.bounds or (-math.inf, math.inf)
            clipped = _share((moved <= low) | (moved >= high))
        return {
            "delta_z_norm": tf.reduce_mean(tf.norm(self.delta, axis=-1)),
            "score_gain": gain,
            "clipped_fraction": clipped,
            "regularizer": all_replicas(self.regularizer),
        }

    def overshoot(self, cotangent: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
        """The share of samples whose slope at z' points against Δz.

        ∂f/∂z' along Δz, which is along ∂f/∂z: negative where the slope turned round.

        Args:
          cotangent: ∂L/∂z', [batch, dim], of the generator's loss.
          slope: ∂L/∂f(z'), [batch].
        """
        uphill = tf.sign(slope)[:, None] * cotangent
        return _share(tf.reduce_sum(uphill * self.delta, axis=-1) < 0)


def _share(condition: tf.Tensor) -> tf.Tensor:
    """The share of True; 0 of an empty tensor."""
    hits = tf.reduce_sum(tf.cast(condition, tf.float32))
    return tf.math.divide_no_nan(hits, tf.cast(tf.size(condition), tf.float32))
