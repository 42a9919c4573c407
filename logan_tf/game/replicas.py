"""What the replicas of a `tf.distribute` strategy make of a loss and of its gradient.

A loss is divided by the number of replicas and gradients are summed over them, so that
the mean over the global batch is what is differentiated.
"""

from typing import Any

import tensorflow as tf


def per_replica(loss: tf.Tensor) -> tf.Tensor:
    """A replica's share of a loss that is a mean over its samples."""
    return loss / _num_replicas()


def all_replicas(loss: tf.Tensor) -> tf.Tensor:
    """The mean over a replica's samples again, from its share."""
    return loss * _num_replicas()


def summed(gradients: Any) -> Any:
    """A structure of tensors, each the sum over replicas."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return gradients
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def _num_replicas() -> int:
    replica = tf.distribute.get_replica_context()
    return replica.num_replicas_in_sync if replica is not None else 1
