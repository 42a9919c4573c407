"""How much memory a traced function needs, read off its graph; nothing is run."""

import math
from typing import NamedTuple

import tensorflow as tf

# Their result is their first input's buffer.
_VIEWS = frozenset(
    {
        "ExpandDims",
        "Identity",
        "IdentityN",
        "PreventGradient",
        "ReadVariableOp",
        "Reshape",
        "Snapshot",
        "Squeeze",
        "StopGradient",
    }
)
# Their results lie in variables, or are the caller's.
_ELSEWHERE = frozenset({"Const", "Placeholder", "ReadVariableOp"})


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


def peak(function: tf.types.experimental.ConcreteFunction) -> int:
    """The most bytes that are held at once if operations run in the graph's order.

    A loop holds what one turn of it needs, if its number of turns is known; else its
    body counts as nothing.

    A tensor is held from the operation that makes it to the last that reads it, and a
    view of it counts as itself. Variables, constants and arguments do not count, nor do
    workspaces that kernels take for themselves. An executor may choose another order,
    and XLA fuses and recomputes: an estimate, good for comparing and for planning.

    Args:
      function: of static shapes.
    """
    return _peak(function.graph)


def _peak(graph: tf.Graph) -> int:
    operations = needed(graph)
    buffers = _buffers(operations)
    results = {buffers[output.ref()] for output in graph.outputs}
    last_use = {}
    for number, operation in enumerate(operations):
        for tensor in (*operation.inputs, *operation.outputs):
            last_use[buffers[tensor.ref()]] = number
    held = most = 0
    released: dict[int, int] = {}
    for number, operation in enumerate(operations):
        for output in operation.outputs:
            buffer, size = buffers[output.ref()], _size(output)
            if buffer == output.ref() and operation.type not in _ELSEWHERE:
                held += size
                if buffer not in results:
                    end = last_use[buffer]
                    released[end] = released.get(end, 0) + size
        loop = loop_of(operation)
        most = max(most, held + (_peak(loop.body) if loop else 0))
        held -= released.pop(number, 0)
    return most


def needed(graph: tf.Graph) -> list[tf.Operation]:
    """The operations that results or side effects depend on, in the graph's order.

    The executor leaves out what tracing left behind: in an update of the generator
    alone, say, the scores of real images.
    """
    waiting = [output.op for output in graph.outputs] + list(graph.control_outputs)
    found = set(waiting)
    while waiting:
        operation = waiting.pop()
        before = [x.op for x in operation.inputs] + list(operation.control_inputs)
        waiting += [each for each in before if each not in found]
        found.update(before)
    return [operation for operation in graph.get_operations() if operation in found]


def _buffers(operations: list[tf.Operation]) -> dict:
    """Each tensor's buffer, named by the tensor that was made in it."""
    buffers: dict = {}
    for operation in operations:
        for index, output in enumerate(operation.outputs):
            view = operation.type in _VIEWS and index < len(operation.inputs)
            source = operation.inputs[index].ref() if view else None
            buffers[output.ref()] = buffers.get(source, output.ref())
    return buffers


def _size(tensor: tf.Tensor) -> int:
    if tensor.dtype in (tf.resource, tf.variant):
        return 0
    if not tensor.shape.is_fully_defined():
        return 0
    return math.prod(tensor.shape.as_list()) * tensor.dtype.size
