"""Derivatives of blocks that are computed again are those of blocks that are kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from logan_tf.game.game import PLAYERS, Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.round import Round
from logan_tf.layers.batch_normalization import (
    BatchNormalization,
    collected_statistics,
)
from logan_tf.layers.rematerialization import rematerialized, to_inputs_alone
from logan_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense


class Block(keras.layers.Layer):
    """Conditional batch norm by hand, spectral norm, a curved activation."""

    def __init__(self, channels, norm):
        super().__init__()
        self.norm = BatchNormalization() if norm else None
        self.gain = SpectralDense(channels)
        self.conv = SpectralConv2D(channels, 3, padding="same")
        self.calls = 0

    def build(self, x_shape, condition_shape):
        self.conv.build(x_shape)
        self.gain.build(condition_shape)
        if self.norm:
            self.norm.build(x_shape)

    def call(self, x, condition, scale=1.0):
        self.calls += 1
        y = self.norm(x) if self.norm else x
        y = y * (1 + self.gain(condition)[:, None, None])
        return x + scale * self.conv(tf.tanh(y))


class Through(keras.layers.Layer):
    """Blocks in a row, kept or computed again."""

    def __init__(self, again, norm):
        super().__init__()
        self.again = again
        self.blocks = [Block(3, norm) for _ in range(2)]

    def call(self, x, condition):
        for block in self.blocks:
            if self.again:
                order = {"order": self.again} if self.again is not True else {}
                x = rematerialized(block, x, condition, scale=0.5, **order)
            else:
                x = block(x, condition, scale=0.5)
        return x


class Generator(keras.Model):
    latent_dim = 5

    def __init__(self, again):
        super().__init__()
        self.project = keras.layers.Dense(4 * 4 * 3)
        self.through = Through(again, norm=True)

    def call(self, latents, labels=None, training=True):
        x = tf.reshape(self.project(latents), (-1, 4, 4, 3))
        return tf.tanh(self.through(x, latents))


class Discriminator(keras.Model):
    def __init__(self, again):
        super().__init__()
        self.through = Through(again, norm=False)
        self.score = SpectralDense(1)

    def call(self, images, labels=None):
        x = self.through(images, tf.reduce_mean(images, (1, 2)))
        return tf.squeeze(self.score(tf.reduce_sum(x**2, (1, 2))), -1)


def game(again):
    keras.utils.set_random_seed(0)
    generator, discriminator = Generator(again), Discriminator(again)
    discriminator(generator(tf.zeros([2, 5])))
    step = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 0.1), 0.6)
    return Game(generator, discriminator, latent_rule=LatentRule(step, 0.1))


@pytest.fixture
def round_():
    rng = np.random.default_rng(0)
    return Round(
        tf.constant(rng.normal(size=(6, 4, 4, 3))),
        tf.zeros(6, tf.int32),
        tf.constant(rng.uniform(-1, 1, (6, 5))),
        tf.zeros(6, tf.int32),
    )


@pytest.mark.parametrize("graph", [pytest.param(True, marks=pytest.mark.slow), False])
def test_logans_gradients_are_the_same(graph, float64, round_):
    kept, again = game(again=False), game(again=True)
    play = [tf.function(each.play) if graph else each.play for each in (kept, again)]
    expected, found = (each(round_) for each in play)
    for player in PLAYERS:
        largest, through = (
            max(np.abs(g).max() for g in part[player])
            for part in (expected.gradients, expected.second_order)
        )
        assert through > 0.01 * largest
        for a, b in zip(
            expected.gradients[player], found.gradients[player], strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-12 * largest)
    for name, value in expected.metrics.items():
        np.testing.assert_allclose(found.metrics[name], value, rtol=1e-9, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2, 3])
def test_products_with_the_jacobian_are_the_same(order, float64, round_):
    """Of the third order, whatever the order that is computed again."""
    products = []
    for again in (False, order):
        field = game(again).field(round_)
        rng = np.random.default_rng(2)
        u = {
            player: [tf.constant(rng.normal(size=w.shape)) for w in own]
            for player, own in field.weights.items()
        }
        products.append((field.along(u), field.transposed(u)))
    for kept, again in zip(*products, strict=True):
        for player in PLAYERS:
            largest = max(np.abs(x).max() for x in kept[player])
            for a, b in zip(kept[player], again[player], strict=True):
                np.testing.assert_allclose(a, b, atol=1e-11 * largest)


def test_a_third_order_is_computed_again_where_it_is_asked_for(float64):
    """Three derivatives in a row to x: the last pass computes the block more often."""

    def counted(order):
        block = Block(3, norm=True)
        x, condition = tf.ones([2, 4, 4, 3], tf.float64), tf.ones([2, 5], tf.float64)
        rematerialized(block, x, condition)
        tapes = [tf.GradientTape() for _ in range(3)]
        for tape in tapes:
            tape.__enter__()
            tape.watch(x)
        y = tf.reduce_sum(rematerialized(block, x, condition, order=order) ** 3)
        for tape in reversed(tapes):
            tape.__exit__(None, None, None)
            calls = block.calls
            y = tf.reduce_sum(tape.gradient(y, x) ** 2)
        return block.calls - calls

    assert counted(order=3) > counted(order=2)


def test_a_block_is_computed_again_at_every_order(float64):
    """For the pullbacks to inputs and to weights; for the first one's own, and both."""
    block = Block(3, norm=True)
    x, condition = tf.ones([2, 4, 4, 3], tf.float64), tf.ones([2, 5], tf.float64)
    rematerialized(block, x, condition)  # builds it, as it is
    calls = []

    def count():
        calls.append(block.calls)

    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(rematerialized(block, x, condition) ** 3)
            count()
        total = tf.reduce_sum(inner.gradient(y, x) ** 2)
        count()
    outer.gradient(total, x)
    count()
    assert np.diff(calls).tolist() == [2, 3]


def test_to_inputs_alone_weights_cost_nothing(float64):
    block = Block(3, norm=True)
    x, condition = tf.ones([2, 4, 4, 3], tf.float64), tf.ones([2, 5], tf.float64)
    rematerialized(block, x, condition)
    kernel = block.conv.kernel.value
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.reduce_sum(rematerialized(block, x, condition) ** 3)
    expected = tape.gradient(y, [x, kernel])
    before = block.calls
    with to_inputs_alone():
        found = tape.gradient(y, [x, kernel])
    assert block.calls == before + 1
    assert expected[1] is not None
    assert found[1] is None
    np.testing.assert_array_equal(found[0], expected[0])
    assert tape.gradient(y, [x, kernel])[1] is not None


def test_statistics_are_collected_once(float64):
    block = Block(3, norm=True)
    x = tf.random.stateless_normal([2, 4, 4, 3], (0, 0), dtype=tf.float64)
    condition = tf.ones([2, 5], tf.float64)
    block(x, condition)
    with collected_statistics() as expected:
        block(x, condition)
    with tf.GradientTape() as tape, collected_statistics() as collected:
        tape.watch(x)
        y = rematerialized(block, x, condition)
    assert len(collected) == len(expected) == 1
    np.testing.assert_array_equal(collected[0][1].mean, expected[0][1].mean)
    assert tape.gradient(y, x) is not None
    assert len(collected) == 1


def test_grappler_keeps_what_is_computed_again():
    """Each of two activations twice: once more for inputs and weights together."""

    def activations(again):
        keras.utils.set_random_seed(0)
        through = Through(again, norm=True)
        x, condition = tf.ones([2, 4, 4, 3]), tf.ones([2, 5])
        through(x, condition)

        @tf.function
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(through(x, condition) ** 2)
            return tape.gradient(
                y, [x, *(v.value for v in through.trainable_variables)]
            )

        context.enable_run_metadata()
        gradient(x)
        metadata = context.export_run_metadata()
        context.disable_run_metadata()
        # Eager operations have graphs too, on some machines.
        graphs = [graphs.post_optimization_graph for graphs in metadata.function_graphs]
        largest = max(graphs, key=lambda graph: len(graph.node))
        return sum(node.op == "Tanh" for node in largest.node)

    assert (activations(again=False), activations(again=True)) == (2, 4)


@pytest.mark.usefixtures("xla")
@pytest.mark.parametrize(
    ("second", "kept", "again"),
    [(False, 3, 6), pytest.param(True, 3, 12, marks=pytest.mark.slow)],
)
def test_xla_keeps_what_is_computed_again(second, kept, again):
    """Three blocks with an activation each, counted in the compiled program."""

    def compiled(order):
        keras.utils.set_random_seed(0)
        through = Through(order, norm=True)
        through.blocks = [Block(3, norm=True) for _ in range(3)]
        x, condition = tf.ones([2, 4, 4, 3]), tf.ones([2, 5])
        through(x, condition)
        weights = [v.value for v in through.trainable_variables]

        @tf.function(jit_compile=True)
        def gradient(x, condition):
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y = tf.reduce_sum(through(x, condition) ** 2)
                first = inner.gradient(y, x if second else [x, *weights])
                total = tf.reduce_sum(first**2) if second else 0.0
            return outer.gradient(total, [x, *weights]) if second else first

        return gradient.experimental_get_compiler_ir(x, condition)("optimized_hlo")

    programs = [compiled(order) for order in (False, True)]
    assert [text.count(" tanh(") for text in programs] == [kept, again]
    convolutions = [text.count(" convolution(") for text in programs]
    assert convolutions == ([18, 21] if second else [9, 9])
