"""Sums over replicas in a program that is written for several devices."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers import replication


def _text(function, *specs):
    @tf.function(jit_compile=True)
    def traced(*tensors):
        with replication.as_one_of(3):
            return function(*tensors)

    return traced.experimental_get_compiler_ir(*specs)(stage="stablehlo")


def _count(text):
    return text.count('"stablehlo.all_reduce"')


SPECS = [tf.TensorSpec([2, 3]), tf.TensorSpec([4]), tf.TensorSpec([])]


@pytest.mark.usefixtures("xla")
def test_what_is_known_together_is_one_sum():
    text = _text(lambda a, b, c: replication.summed({"a": a, "b": [b, c]}), *SPECS)
    assert _count(text) == 1
    assert "dense<[[0, 1, 2]]> : tensor<1x3xi64>" in text
    assert "tensor<11xf32>" in text  # All of it.


@pytest.mark.usefixtures("xla")
def test_each_derivative_is_a_sum_again():
    def derivative(order):
        def function(x):
            tapes = [tf.GradientTape() for _ in range(order)]
            for tape in tapes:
                tape.__enter__()
                tape.watch(x)
            y = tf.reduce_sum(replication.averaged(x**2) ** 4)
            for tape in reversed(tapes):
                tape.__exit__(None, None, None)
                y = tf.reduce_sum(tape.gradient(y, x) ** 2)
            return y

        return function

    counts = [_count(_text(derivative(n), tf.TensorSpec([5]))) for n in range(4)]
    assert counts[:2] == [1, 2]
    assert counts[1] < counts[2] < counts[3]


def test_alone_there_is_nothing_to_sum():
    x = tf.constant([1.0, 2.0])
    assert replication.number() == 1
    assert replication.summed(x) is x
    assert replication.averaged([x])[0] is x
    with replication.as_one_of(4):
        assert replication.number() == 4
        with replication.as_one_of(1):
            assert replication.summed(x) is x
        assert replication.number() == 4
    assert replication.number() == 1


def test_of_a_strategy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    numbers = strategy.run(lambda: tf.constant(replication.number()))
    np.testing.assert_array_equal(numbers, 1)
