import numpy as np
import pytest
import tensorflow as tf

from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks.bottleneck_blocks import DiscriminatorBlock, GeneratorBlock
from logan_tf.networks.kernels import Kernels

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(3, 4, 4, 8))
_CONDITION = _RNG.normal(size=(3, 5))


def _generator_block(channels, doubling):
    block = GeneratorBlock(
        8, channels, doubling=doubling, kernels=Kernels(), slope=0.2, epsilon=1e-3
    )
    block(_X, _CONDITION)
    return block


def _discriminator_block(channels, halving):
    block = DiscriminatorBlock(
        8, channels, halving=halving, kernels=Kernels(), slope=0.2
    )
    block(_X)
    return block


@pytest.mark.parametrize("channels", [8, 4])
@pytest.mark.parametrize("doubling", [False, True])
def test_generator_block(channels, doubling, float64, oracle, randomize):
    block = _generator_block(channels, doubling)
    randomize(block)
    y = _X
    for index in range(4):
        y = oracle.conditional(block._normalizations[index], y, _CONDITION)
        y = oracle.leaky(y, 0.2)
        y = oracle.doubled(y) if doubling and index == 1 else y
        y = oracle.convolution(block._convolutions[index], y)
    skipped = _X[..., :channels]
    expected = y + (oracle.doubled(skipped) if doubling else skipped)
    np.testing.assert_allclose(block(_X, _CONDITION), expected, 1e-6, 1e-7)
    sizes = [layer.kernel.shape[:2] for layer in block._convolutions]
    assert sizes == [(1, 1), (3, 3), (3, 3), (1, 1)]
    narrow = [layer.kernel.shape[2:] for layer in block._convolutions]
    assert narrow == [(8, 2), (2, 2), (2, 2), (2, channels)]


@pytest.mark.parametrize("channels", [8, 12])
@pytest.mark.parametrize("halving", [False, True])
def test_discriminator_block(channels, halving, float64, oracle, randomize):
    block = _discriminator_block(channels, halving)
    randomize(block)
    y = _X
    for layer in block._convolutions[:-1]:
        y = oracle.convolution(layer, oracle.leaky(y, 0.2))
    y, skipped = oracle.leaky(y, 0.2), _X
    if halving:
        y, skipped = oracle.halved(y), oracle.halved(skipped)
    y = oracle.convolution(block._convolutions[-1], y)
    if channels > 8:
        added = oracle.convolution(block._added, skipped)
        skipped = np.concatenate([skipped, added], -1)
    np.testing.assert_allclose(block(_X), y + skipped, 1e-6, 1e-7)
    quarter = channels // 4
    narrow = [layer.kernel.shape[2:] for layer in block._convolutions]
    expected = [(8, quarter), (quarter,) * 2, (quarter,) * 2, (quarter, channels)]
    assert narrow == expected
    assert len(block.trainable_variables) == (10 if channels > 8 else 8)


@pytest.mark.slow
def test_xla_compiles_second_derivatives_of_blocks_and_attention(xla):
    """The whole networks' are compiled in a slow test of `test_biggan_deep.py`."""
    generator, discriminator = _generator_block(8, True), _discriminator_block(8, True)
    attention = SelfAttention()
    x, condition = tf.constant(_X, tf.float32), tf.constant(_CONDITION, tf.float32)
    attention(x)
    attention.gamma.assign(0.7)
    variables = [
        variable.value
        for layer in (generator, attention, discriminator)
        for variable in layer.trainable_variables
    ]

    def gradient():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(condition)
                y = discriminator(attention(generator(x, condition)))
            loss = tf.reduce_sum(inner.gradient(y, condition) ** 2)
        return outer.gradient(loss, variables, unconnected_gradients="zero")

    plain, compiled = gradient(), tf.function(gradient, jit_compile=True)()
    largest = max(np.abs(g).max() for g in plain)
    assert largest > 0
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3 * largest)
