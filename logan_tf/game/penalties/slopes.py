"""The discriminator's slope at images, which gradient penalties are made of.

Where a discriminator couples samples the slope is that of the batch's summed score.
"""

import tensorflow as tf

from logan_tf.game.augmentation import Draws
from logan_tf.game.penalties.penalty import Sample


def squared_norms(
    sample: Sample, images: tf.Tensor, labels: tf.Tensor, draws: Draws
) -> tf.Tensor:
    """‖∇_x D(x)‖² of each image, [batch]; augmentation is part of D.

    Args:
      sample: who judges.
      images: x, [batch, *shape]; a derivative of the result passes through them too.
      labels: of the images, int [batch].
      draws: that augment them.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = sample.judge(images, labels, draws)
    slope = tape.gradient(scores, images)
    return tf.reduce_sum(tf.square(slope), axis=list(range(1, slope.shape.rank)))


def norms(squares: tf.Tensor) -> tf.Tensor:
    """Roots, with the derivative 0 at 0, where that of a root is infinite."""
    positive = squares > 0
    return tf.where(positive, tf.sqrt(tf.where(positive, squares, 1)), 0)
