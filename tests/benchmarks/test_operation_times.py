"""The profiler's events, summed by type of operation."""

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from logan_tf.benchmarks import operation_times


def test_sums():
    space = xplane_pb2.XSpace()
    plane = space.planes.add()
    names = ["a/b:Mul", "c:_MklMatMul", "d:Mul", "EagerExecute", "Kernel::Run", ":Add"]
    for number, name in enumerate(names):
        plane.event_metadata[number].name = name
        event = plane.lines.add().events.add()
        event.metadata_id, event.duration_ps = number, 10**9 * (number + 1)
    mul, matmul = operation_times.by_type([space], repeats=2)
    assert mul == ("Mul", 1.0, 2.0, 4 / 6)  # (1 + 3) ms in two steps
    assert matmul == ("_MklMatMul", 0.5, 1.0, 2 / 6)


def test_a_step_is_profiled():
    x = tf.random.stateless_uniform([200, 200], (0, 0))
    product = tf.function(lambda x: tf.reduce_max(x @ x))
    product(x)
    found = operation_times.measure(lambda: product(x).numpy(), 2)
    numbers = {share.operation: share.number for share in found}
    assert numbers.get("MatMul", numbers.get("_MklMatMul")) == 1
    assert numbers["Max"] == 1
