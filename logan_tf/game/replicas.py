"""What the replicas of a `tf.distribute` strategy make of a loss and of its gradient.

A loss is divided by the number of replicas and gradients are summed over them, so that
the mean over the global batch is what is differentiated.
"""

from typing import Any

import tensorflow as tf

from logan_tf.layers import replication


def per_replica(loss: tf.Tensor) -> tf.Tensor:
    """A replica's share of a loss that is a mean over its samples."""
    return loss / replication.number()


def all_replicas(loss: tf.Tensor) -> tf.Tensor:
    """The mean over a replica's samples again, from its share."""
    return loss * replication.number()


def summed(gradients: Any) -> Any:
    """A structure of tensors, each the sum over replicas."""
    return replication.summed(gradients)
