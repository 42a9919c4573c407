"""Counted operations against those of a network, by hand."""

import keras
import pytest
import tensorflow as tf

from logan_tf.game.game import Game
from logan_tf.game.schedules import Alternating
from logan_tf.networks import sngan
from logan_tf.training import cost
from logan_tf.training.experiment import Experiment


class Pictures:
    """A data set of which only the shape is wanted."""

    shape = (16, 16, 3)
    num_classes = 0

    def examples(self, **_):
        raise AssertionError("the data was touched")


def build(**changes):
    """SN-GAN at 16×16 and width 2."""
    return Experiment(
        dataset=Pictures(),
        generator=lambda: sngan.Generator(16, 3, 2, 5),
        discriminator=lambda: sngan.Discriminator(16, 3, 2),
        generator_optimizer=keras.optimizers.SGD(),
        discriminator_optimizer=keras.optimizers.SGD(),
        game=Game,
        **{"batch_size": 6} | changes,
    )


@pytest.fixture(scope="module")
def experiment():
    return build()


def _convolution(size, kernel, inputs, outputs):
    """Multiplications and additions for one image; `size` of the smaller map."""
    return 2 * size**2 * kernel**2 * inputs * outputs


def test_forward_passes_of_sngan(experiment):
    """Widths 2 and 4 at 16×16 and 8×8, 8 at 4×4; σ is no part of a pass."""
    generator = (
        2 * 5 * (4 * 4 * 8)
        + _convolution(4, 4, 8, 4)
        + _convolution(8, 4, 4, 2)
        + _convolution(16, 3, 2, 3)
    )
    discriminator = (
        _convolution(16, 3, 3, 2)
        + _convolution(8, 4, 2, 2)
        + _convolution(8, 3, 2, 4)
        + _convolution(4, 4, 4, 4)
        + _convolution(4, 3, 4, 8)
        + 2 * 4 * 4 * 8
    )
    passes = cost.count_forward_pass(experiment)
    assert passes == (6 * generator, 6 * discriminator)


def test_backward_passes_cost_one_each():
    """To the input, the kernel, and through a product of matrices."""

    @tf.function
    def gradients(x, kernel, matrix):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel, matrix])
            y = tf.nn.conv2d(x, kernel, 2, "SAME")
            z = tf.tanh(tf.reshape(y, [3, -1]) @ matrix)
        return tape.gradient(z, [x, kernel, matrix])

    counted = cost.count(
        gradients.get_concrete_function(
            tf.TensorSpec([3, 8, 8, 2]),
            tf.TensorSpec([4, 4, 2, 5]),
            tf.TensorSpec([4 * 4 * 5, 7]),
        )
    )
    assert counted.convolutions == 3 * 3 * _convolution(4, 4, 2, 5)
    assert counted.matrix_products == 3 * 3 * 2 * (4 * 4 * 5) * 7
    assert counted.total == counted.products + counted.others


def test_what_nothing_depends_on_does_not_count():
    @tf.function
    def product(a, b):
        _unused = tf.matmul(b, a)
        return tf.matmul(a, b)

    spec = tf.TensorSpec([10, 10])
    counted = cost.count(product.get_concrete_function(spec, spec))
    assert counted == (0, 2 * 10**3, 0)


def test_the_whole_cost_is_that_of_the_step(experiment):
    strategy = tf.distribute.get_strategy()
    measured = cost.measure(experiment, strategy)
    assert measured.operations == cost.count_step(experiment, strategy).total


def test_what_is_repeated_counts_as_often():
    """Per sample a network does the same work in one, two or three updates of D."""
    strategy = tf.distribute.get_strategy()
    one, two, four = (
        cost.count_step(build(schedule=Alternating(n)), strategy) for n in (1, 2, 4)
    )
    assert one.convolutions < two.convolutions
    for own, doubled, fourfold in zip(one, two, four, strict=True):
        assert fourfold - own == 3 * (doubled - own)
    # Convolutions are those of all samples, in however many micro-batches.
    parts = build(schedule=Alternating(2), accumulation=3)
    assert cost.count_step(parts, strategy).convolutions == two.convolutions
