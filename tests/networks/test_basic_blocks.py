import numpy as np
import pytest

from logan_tf.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
)
from logan_tf.networks.basic_blocks import DiscriminatorBlock, GeneratorBlock
from logan_tf.networks.kernels import Kernels

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(3, 4, 4, 6))
_CONDITION = _RNG.normal(size=(3, 5))


@pytest.mark.parametrize("epsilon", [1e-4, None])
def test_generator_block(epsilon, float64, oracle, randomize):
    kernels = Kernels("glorot_uniform", epsilon)
    block = GeneratorBlock(
        4, lambda: ConditionalBatchNormalization(1e-3, epsilon), kernels, 0.2
    )
    block(_X, _CONDITION)
    randomize(block)
    y = _X
    for index in range(2):
        y = oracle.conditional(block._normalizations[index], y, _CONDITION)
        y = oracle.leaky(y, 0.2)
        y = y if index else oracle.doubled(y)
        y = oracle.convolution(block._convolutions[index], y)
    # The paper's order: doubled before the convolution.
    expected = y + oracle.convolution(block._shortcut, oracle.doubled(_X))
    np.testing.assert_allclose(block(_X, _CONDITION), expected, 1e-6, 1e-7)
    kernels = [layer.kernel.shape for layer in (*block._convolutions, block._shortcut)]
    assert kernels == [(3, 3, 6, 4), (3, 3, 4, 4), (1, 1, 6, 4)]


@pytest.mark.parametrize("channels", [6, 8])
@pytest.mark.parametrize("halving", [False, True])
@pytest.mark.parametrize("activate", [False, True])
def test_discriminator_block(channels, halving, activate, float64, oracle, randomize):
    block = DiscriminatorBlock(
        6,
        channels,
        5,
        halving=halving,
        activate=activate,
        kernels=Kernels(),
        slope=0.2,
    )
    block(_X)
    randomize(block)
    first, second = block._convolutions
    y = oracle.convolution(first, oracle.leaky(_X, 0.2) if activate else _X)
    y = oracle.convolution(second, oracle.leaky(y, 0.2))
    skipped = _X
    if halving or channels != 6:
        skipped = oracle.convolution(block._shortcut, skipped)
    else:
        assert block._shortcut is None
    if halving:
        # The paper's order: halved after the convolution.
        y, skipped = oracle.halved(y), oracle.halved(skipped)
    np.testing.assert_allclose(block(_X), y + skipped, 1e-6, 1e-7)
    assert first.kernel.shape == (3, 3, 6, 5)
    shape = (None, *y.shape[1:])
    assert block.compute_output_shape((None, *_X.shape[1:])) == shape
