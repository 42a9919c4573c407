"""The replicas that compute together, and their sums.

They are those of a `tf.distribute` strategy; or, inside `as_one_of`, the devices that a
program is written for, of which each runs it on its own part of the batch.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from logan_tf.layers.custom_gradients import custom_gradient

_thread = threading.local()


@contextlib.contextmanager
def as_one_of(number: int) -> Iterator[None]:
    """What is traced inside is the part of one of so many replicas.

    Their sums are operations of XLA's, which it alone computes: trace for it, and say
    in the module that `mhlo.num_replicas` is this number.

    Args:
      number: of the replicas, 1 or more.
    """
    before, _thread.number = getattr(_thread, "number", None), number
    try:
        yield
    finally:
        _thread.number = before


def number() -> int:
    """How many replicas there are here."""
    given = getattr(_thread, "number", None)
    if given is not None:
        return given
    replica = tf.distribute.get_replica_context()
    return replica.num_replicas_in_sync if replica is not None else 1


def gathered(x: tf.Tensor) -> tf.Tensor:
    """[batch, …] of all replicas one after the other; differentiable, a sum."""
    count = number()
    if count == 1:
        return x
    place = tf.one_hot(_index(), count, dtype=x.dtype)
    place = tf.reshape(place, (count, *(1 for _ in x.shape)))
    return tf.reshape(summed(place * x[None]), (-1, *x.shape[1:]))


def _index() -> Any:
    """Which of the replicas this one is."""
    if getattr(_thread, "number", None) is not None:
        return tf.cast(gen_xla_ops.xla_replica_id(), tf.int32)
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def summed(values: Any) -> Any:
    """A structure of tensors, each the sum over replicas; differentiable."""
    return _reduced(tf.distribute.ReduceOp.SUM, values)


def averaged(values: Any) -> Any:
    """As `summed`, the means."""
    return _reduced(tf.distribute.ReduceOp.MEAN, values)


def _reduced(operation: tf.distribute.ReduceOp, values: Any) -> Any:
    count = number()
    if count == 1:
        return values
    if getattr(_thread, "number", None) is None:
        return tf.distribute.get_replica_context().all_reduce(operation, values)
    sums = _sums_together(tf.nest.flatten(values), count)
    if operation == tf.distribute.ReduceOp.MEAN:
        sums = [x / count for x in sums]
    return tf.nest.pack_sequence_as(values, sums)


def _sums_together(tensors: list[tf.Tensor], count: int) -> list[tf.Tensor]:
    """One sum of all tensors of a dtype: what is known together is sent together."""
    sums: list[Any] = [None] * len(tensors)
    for dtype in {x.dtype for x in tensors}:
        places = [place for place, x in enumerate(tensors) if x.dtype == dtype]
        flat = tf.concat([tf.reshape(tensors[place], [-1]) for place in places], 0)
        sizes = [tensors[place].shape.num_elements() for place in places]
        parts = tf.split(_sum(flat, count), sizes)
        for place, part in zip(places, parts, strict=True):
            sums[place] = tf.reshape(part, tensors[place].shape)
    return sums


def _sum(x: tf.Tensor, count: int) -> tf.Tensor:
    """The sum over replicas of [n]; its gradient is the sum of the cotangents."""

    @custom_gradient
    def call(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        total = gen_xla_ops.xla_all_reduce(
            x,
            group_assignment=[list(range(count))],
            reduce_op="Add",
            mode="CrossReplica",
        )
        total.set_shape(x.shape)
        return total, lambda cotangent: _sum(cotangent, count)

    return call(x)
