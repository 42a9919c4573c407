"""The memory of graphs small enough to be followed by hand."""

import tensorflow as tf

from logan_tf.training import live_memory

KILOBYTE = tf.TensorSpec([256])


def peak(function, *specs):
    return live_memory.peak(tf.function(function).get_concrete_function(*specs))


def test_what_is_read_later_is_held():
    def chain(x):
        return tf.exp(tf.exp(tf.exp(x)))

    def kept(x):
        first = tf.exp(x)
        return tf.exp(tf.exp(first)) + first

    # Two at a time, input and output of an operation; then the first as well.
    assert peak(chain, KILOBYTE) == 2 * 1024
    assert peak(kept, KILOBYTE) == 3 * 1024


def test_views_variables_and_arguments_take_nothing():
    variable = tf.Variable(tf.zeros([256]))

    def views(x):
        return tf.reshape(tf.identity(tf.stop_gradient(x)), [16, 16])

    assert peak(views, KILOBYTE) == 0
    assert peak(lambda: tf.exp(tf.reshape(variable, [16, 16]))) == 1024


def test_a_view_holds_what_it_views():
    def viewed(x):
        first = tf.exp(x)
        view = tf.reshape(first, [16, 16])
        second = tf.exp(first)
        third = tf.exp(second)
        return third, tf.exp(view)

    assert peak(viewed, KILOBYTE) == 3 * 1024


def test_dtypes_and_several_results():
    def halves(x):
        low, high = tf.split(tf.cast(x, tf.bfloat16), 2)
        return low + high

    # Cast: 512 bytes; the split's halves, 256 each; their sum after the cast is gone.
    assert peak(halves, KILOBYTE) == 1024


def test_a_network_in_training_needs_its_activations():
    weights = [tf.Variable(tf.ones([64, 64])) for _ in range(6)]

    def step(x):
        with tf.GradientTape() as tape:
            for weight in weights:
                x = tf.tanh(x @ weight)
            loss = tf.reduce_sum(x)
        return tape.gradient(loss, weights)

    sizes = [peak(step, tf.TensorSpec([batch, 64])) for batch in (1000, 2000, 3000)]
    assert sizes[1] - sizes[0] == sizes[2] - sizes[1]
    # The six results of tanh, and what the backward pass has in hand.
    per_example = (sizes[1] - sizes[0]) / 1000
    assert 6 * 256 < per_example <= 9 * 256
