"""SN-GAN's ResNet and SAGAN: what differs between them, and from the others."""

import itertools

import keras
import numpy as np
import pytest

from logan_tf.layers import spectral_normalization
from logan_tf.networks import sagan, sngan_resnet

_SIZES = [(8, 16), (16, 8), (32, 4), (64, 2), (128, 1)]
_HALVED = [(64, 1), (32, 2), (16, 4), (8, 8), (4, 16), (4, 16)]


def _expected(block, sizes, width, attended):
    layers = []
    for size, multiple in sizes:
        layers.append((block, size, width * multiple))
        if size == attended:
            layers.append(("SelfAttention", size, width * multiple))
    return layers


@pytest.mark.parametrize(("module", "attended"), [(sagan, 32), (sngan_resnet, None)])
def test_networks_of_128_pixels(module, attended, stages):
    generator = module.Generator(width=4, num_classes=2)
    expected = _expected("GeneratorBlock", _SIZES, 4, attended)
    assert stages(generator, (128,)) == expected
    discriminator = module.Discriminator(width=4, num_classes=2)
    expected = _expected("DiscriminatorBlock", _HALVED, 4, attended)
    assert stages(discriminator, (128, 128, 3)) == expected
    assert not discriminator._blocks[0].activate
    assert discriminator._blocks[-1].activate


def _block(inputs, hidden, outputs, shortcut=True):
    """Parameters of two 3×3 convolutions and the 1×1 around them."""
    count = 9 * inputs * hidden + hidden + 9 * hidden * outputs + outputs
    return count + (inputs * outputs + outputs) * shortcut


@pytest.mark.parametrize("module", [sagan, sngan_resnet])
def test_parameters(module, count):
    """The sum over the papers' tables, width 64, 1,000 classes."""
    tables = [1024, 1024, 512, 256, 128, 64]
    pairs = list(itertools.pairwise(tables))
    generator = 128 * 16 * 1024 + 16 * 1024 + 2 * 64 + 9 * 64 * 3 + 3
    generator += sum(_block(a, b, b) + 2 * 1000 * (a + b) for a, b in pairs)
    ladder = [3, 64, 128, 256, 512, 1024, 1024]
    wide = module is sagan
    discriminator = 1024 + 1 + 1000 * 1024
    for a, b in itertools.pairwise(ladder):
        hidden = b if wide or a == 3 else a
        discriminator += _block(a, hidden, b, a != b)
    if wide:
        for channels, network in ((256, "generator"), (128, "discriminator")):
            attention = 2 * channels * channels // 8 + channels**2 + 1
            generator += attention * (network == "generator")
            discriminator += attention * (network == "discriminator")
    assert count(module.Generator(), (128,)) == generator
    assert count(module.Discriminator(), (128, 128, 3)) == discriminator


def _spectral(network):
    return {id(x) for x in spectral_normalization.normalized_layers(network)}


@pytest.mark.parametrize("module", [sagan, sngan_resnet])
def test_what_is_normalized(module, count):
    generator = module.Generator(64, width=8, num_classes=3)
    discriminator = module.Discriminator(64, width=8, num_classes=3)
    count(generator, (128,))
    count(discriminator, (64, 64, 3))
    convolutions = {
        id(layer)
        for layer in generator._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.Conv2D)
    }
    if module is sagan:
        assert _spectral(generator) == convolutions | {id(generator._project)}
    else:
        assert not _spectral(generator)
    assert id(discriminator._score.embedding) in _spectral(discriminator)


def test_gains_start_at_one_and_kernels_glorot(float64):
    generator = sngan_resnet.Generator(32, width=4, latent_dim=6, num_classes=3)
    latents = np.random.default_rng(0).normal(size=(4, 6))
    labels = np.array([0, 1, 2, 0], np.int32)
    images = generator(latents, labels)
    np.testing.assert_array_equal(generator(latents, labels[::-1].copy()), images)
    for block in generator._blocks:
        for layer in block._normalizations:
            assert not np.any(np.array(layer.gain.kernel))
            assert not np.any(np.array(layer.bias.kernel))
    kernel = np.array(generator._project.kernel)
    limit = np.sqrt(6 / (6 + 256))
    assert 0.9 * limit < np.abs(kernel).max() <= limit
