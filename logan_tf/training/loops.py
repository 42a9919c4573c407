"""Loops of a traced function whose number of turns is known."""

from typing import NamedTuple

import tensorflow as tf

_LOOPS = ("While", "StatelessWhile")


class Loop(NamedTuple):
    """What a loop runs, and how often."""

    body: tf.Graph
    turns: int


def loop_of(operation: tf.Operation) -> Loop | None:
    """The loop that an operation is.

    Returns:
      None for any other operation, and for a loop without `maximum_iterations`.
    """
    if operation.type not in _LOOPS:
        return None
    # After the counter of turns.
    turns = tf.get_static_value(operation.inputs[1])
    if turns is None or turns < 0:
        return None
    name = operation.get_attr("body").name
    return Loop(operation.graph._get_function(name).graph, int(turns))
