"""Attention in slices of the batch is attention, to every order, and keeps no map."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.attention import attend
from logan_tf.layers.custom_gradients import forward_only
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks import biggan, biggan_deep, sagan
from logan_tf.training import cost, live_memory

BATCH, POSITIONS, KEYS = 4, 8, 6


def _inputs(dtype="float64"):
    rng = np.random.default_rng(0)
    shapes = (BATCH, POSITIONS, 3), (BATCH, KEYS, 3), (BATCH, KEYS, 5)
    return [tf.constant(rng.normal(size=shape), dtype) for shape in shapes]


def _derivatives(at_a_time, order):
    """The result, and curved functions' gradients of order 1, 2, …"""
    weights = tf.constant(np.random.default_rng(1).normal(size=(BATCH, POSITIONS, 5)))

    def derivatives(*inputs):
        def result():
            y = attend(*inputs, inputs[0].dtype, at_a_time)
            return [tf.cast(weights, y.dtype) * (y + y**2)]

        def gradient(function):
            def differentiated():
                with tf.GradientTape() as tape:
                    tape.watch(inputs)
                    found = function()
                    total = sum(tf.reduce_sum(tf.sin(x + 1)) for x in found)
                return tape.gradient(total, inputs)

            return differentiated

        found = [result]
        for _ in range(order):
            found.append(gradient(found[-1]))
        return [function() for function in found]

    return derivatives


def _differences(found, expected):
    return [
        float(np.abs(a - b).max() / np.abs(b).max())
        for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True)
    ]


@pytest.mark.parametrize(
    "at_a_time",
    [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 4, 100))],
)
def test_three_derivatives_are_those_of_the_whole_map(at_a_time):
    inputs = _inputs()
    expected = tf.function(_derivatives(None, 3))(*inputs)
    found = tf.function(_derivatives(at_a_time, 3))(*inputs)
    assert max(_differences(found, expected)) < 1e-12


def test_eagerly_too():
    inputs = _inputs()
    expected = _derivatives(None, 2)(*inputs)
    assert max(_differences(_derivatives(2, 2)(*inputs), expected)) < 1e-12


@pytest.mark.usefixtures("xla")
def test_compiled_too():
    inputs = _inputs()
    expected = tf.function(_derivatives(None, 2))(*inputs)
    found = tf.function(_derivatives(2, 2), jit_compile=True)(*inputs)
    assert max(_differences(found, expected)) < 1e-12


def test_against_numpy():
    queries, keys, values = (np.array(x) for x in _inputs())
    weights = np.exp(np.einsum("bqc,bkc->bqk", queries, keys))
    weights /= weights.sum(-1, keepdims=True)
    found = attend(*_inputs(), tf.float64, 2)
    np.testing.assert_allclose(found, np.einsum("bqk,bkc->bqc", weights, values), 1e-12)


def test_derivatives_against_finite_differences(check_derivatives):
    layer = SelfAttention(dtype="float64", at_a_time=2)
    x = np.random.default_rng(2).normal(size=(4, 4, 2, 16))
    layer(x)
    layer.gamma.assign(0.7)
    check_derivatives(layer, x, layer.trainable_variables)


def test_in_bfloat16_it_is_the_whole_map_to_rounding():
    inputs = [tf.cast(x, tf.bfloat16) for x in _inputs()]

    def gradients(at_a_time):
        def derivatives(*inputs):
            whole = [tf.cast(x, tf.float32) for x in inputs]

            def loss(*inputs):
                y = attend(
                    *(tf.cast(x, tf.bfloat16) for x in inputs), tf.float32, at_a_time
                )
                return tf.reduce_sum(tf.cast(y, tf.float32) ** 2)

            with tf.GradientTape() as outer:
                outer.watch(whole)
                with tf.GradientTape() as inner:
                    inner.watch(whole)
                    value = loss(*whole)
                first = inner.gradient(value, whole)
                total = sum(tf.reduce_sum(x**2) for x in first)
            return first, outer.gradient(total, whole)

        return tf.nest.flatten(tf.function(derivatives)(*inputs))

    for kept, sliced in zip(gradients(None), gradients(2), strict=True):
        scale = np.abs(kept).max()
        np.testing.assert_allclose(sliced, kept, atol=0.06 * scale)


def _graphs(graph):
    loops = map(live_memory.loop_of, graph.get_operations())
    return [graph, *(x for loop in loops if loop for x in _graphs(loop.body))]


def test_no_map_of_the_whole_batch_is_there():
    specs = [tf.TensorSpec(x.shape, x.dtype) for x in _inputs()]

    def maps(at_a_time):
        function = tf.function(_derivatives(at_a_time, 3))
        graph = function.get_concrete_function(*specs).graph
        shapes = [
            tuple(output.shape.as_list())
            for each in _graphs(graph)
            for operation in each.get_operations()
            for output in operation.outputs
            if output.dtype == tf.float64 and output.shape.rank is not None
        ]
        return {shape for shape in shapes if shape[-2:] == (POSITIONS, KEYS)}

    assert maps(None) == {(BATCH, POSITIONS, KEYS)}  # The test would see it.
    assert maps(1) == {(1, POSITIONS, KEYS)}


def test_a_loop_counts_as_often_as_it_turns():
    shapes = (8, 64, 4), (8, 64, 4), (8, 64, 16)
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]

    def gradient(at_a_time):
        def function(*inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = attend(*inputs, tf.float32, at_a_time)
                total = tf.reduce_sum(y**2)
            return tape.gradient(total, inputs)

        return tf.function(function).get_concrete_function(*specs)

    kept, sliced = gradient(None), gradient(1)
    # Products: 2 forward and 4 backward; one more to make the map again.
    expected = (2 * 8 * 64 * 64 * 4, 2 * 8 * 64 * 64 * 16)
    assert cost.count(kept).matrix_products == 3 * sum(expected)
    assert cost.count(sliced).matrix_products == 3 * sum(expected) + expected[0]
    assert live_memory.peak(sliced) < live_memory.peak(kept) / 2


def test_plain_operations_alone_where_only_the_forward_pass_is_wanted():
    def types(function, *specs):
        graph = tf.function(function).get_concrete_function(*specs).graph
        return {operation.type for operation in graph.get_operations()}

    def call(*inputs):
        return attend(*inputs, tf.float64, 2)

    def served(*inputs):
        with forward_only():
            return attend(*inputs, tf.float64, 2)

    known = [tf.TensorSpec(x.shape, x.dtype) for x in _inputs()]
    unknown = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in _inputs()]
    assert "StatelessWhile" in types(call, *known)
    for given in (types(served, *known), types(call, *unknown)):
        assert "Softmax" in given
        assert not given & {"While", "StatelessWhile"}


@pytest.mark.parametrize("module", [biggan_deep, biggan, sagan])
def test_networks_hand_it_on(module):
    settings = {"image_size": 32, "width": 8, "attention_size": 16, "num_classes": 0}
    for network in (
        module.Generator(**settings, latent_dim=120, attention_samples=2),
        module.Discriminator(**settings, attention_samples=2),
    ):
        (layer,) = (
            each
            for each in network._flatten_layers()
            if isinstance(each, SelfAttention)
        )
        assert layer.at_a_time == 2
