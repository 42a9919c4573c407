import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers import spectral_normalization
from logan_tf.layers.batch_normalization import Normalization
from logan_tf.layers.rematerialization import rematerialized
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks import biggan_deep, residual

_LABELS = np.array([2, 0, 4], np.int32)


def _pair(size=16, channels=2, width=4, num_classes=5, **kwargs):
    """Tiny networks that are built, with weights that are not neutral."""
    settings = {"num_classes": num_classes, "attention_size": 8, "slope": 0.2, **kwargs}
    generator = biggan_deep.Generator(
        size, channels, width, 6, embedding_dim=3, **settings
    )
    discriminator = biggan_deep.Discriminator(size, channels, width, **settings)
    latents = np.random.default_rng(1).uniform(-1, 1, (3, 6))
    discriminator(generator(latents, _LABELS), _LABELS)
    return generator, discriminator, latents


@pytest.fixture
def pair(float64, randomize):
    networks = _pair()
    for network in networks[:2]:
        randomize(network)
    return networks


@pytest.mark.parametrize(
    ("latent_dim", "parameters"), [(128, 50_244_484), (256, 59_714_436)]
)
def test_parameters_of_the_generator_as_published(latent_dim, parameters, count):
    generator = biggan_deep.Generator(latent_dim=latent_dim)
    assert count(generator, (latent_dim,)) == parameters


def test_parameters_of_the_discriminator_as_published(count):
    assert count(biggan_deep.Discriminator(), (128, 128, 3)) == 34_590_210


_BLOCK, _ATTENTION = "GeneratorBlock", "SelfAttention"


def test_generator_is_table_7(stages):
    generator = biggan_deep.Generator(width=4, num_classes=2)
    blocks = [(4, 16), (8, 16), (8, 16), (16, 8), (16, 8), (32, 4), (32, 4), (64, 2)]
    expected = [(_BLOCK, size, 4 * multiple) for size, multiple in blocks]
    expected.append((_ATTENTION, 64, 8))
    expected += [(_BLOCK, 64, 8), (_BLOCK, 128, 4)]
    assert stages(generator, (128,)) == expected


def test_discriminator_is_table_7(stages):
    discriminator = biggan_deep.Discriminator(width=4, num_classes=2)
    block = "DiscriminatorBlock"
    expected = [("SpectralConv2D", 128, 4), (block, 64, 8), (block, 64, 8)]
    expected.append((_ATTENTION, 64, 8))
    blocks = [(32, 4), (16, 8), (8, 16), (4, 16)]
    expected += [
        (block, size, 4 * multiple) for size, multiple in blocks for _ in range(2)
    ]
    assert stages(discriminator, (128, 128, 3)) == expected


@pytest.mark.parametrize(
    ("size", "attention", "halving"),
    [
        (16, None, [True, False]),
        (32, 16, [True, True, False]),
        (64, 32, [True] * 4),
        (256, 64, [True] * 6),
    ],
)
def test_other_sizes(size, attention, halving, count):
    settings = {"attention_size": attention, "num_classes": 3, "blocks_per_stage": 1}
    generator = biggan_deep.Generator(size, 1, 4, 6, **settings)
    discriminator = biggan_deep.Discriminator(size, 1, 4, **settings)
    assert count(generator, (6,)) > 0
    assert count(discriminator, (size, size, 1)) > 0
    assert 4 << len(generator._blocks) == size
    assert all(block.doubling for block in generator._blocks)
    blocks = [x for x in discriminator._blocks[1:] if not isinstance(x, SelfAttention)]
    assert [block.halving for block in blocks] == halving
    if attention is not None:
        assert 8 << generator._attended == attention
        sizes = [size >> n for n in range(1, len(halving) + 1)]
        index = sizes.index(attention) + 2
        assert isinstance(discriminator._blocks[index], SelfAttention)


def test_generator_in_numpy(pair, oracle):
    generator, _, latents = pair
    embedded = np.array(generator._embedding.kernel)[_LABELS]
    condition = np.concatenate([latents, embedded], -1)
    x = oracle.dense(generator._project, condition).reshape(3, 4, 4, 16)
    for index, block in enumerate(generator._blocks):
        x = block(tf.constant(x), tf.constant(condition)).numpy()
        if index == 1:
            x = oracle.attention(generator._attention, x)
    assert generator._attended == 1
    last = generator._normalize
    x = oracle.standard(last, x) * np.array(last.scale) + np.array(last.offset)
    expected = np.tanh(oracle.convolution(generator._to_image, oracle.leaky(x, 0.2)))
    np.testing.assert_allclose(generator(latents, _LABELS), expected, atol=1e-6)


def test_discriminator_in_numpy(pair, oracle):
    discriminator = pair[1]
    images = np.random.default_rng(2).uniform(-1, 1, (3, 16, 16, 2))
    first, *blocks = discriminator._blocks
    x = oracle.convolution(first, images)
    for block in blocks:
        attends = isinstance(block, SelfAttention)
        x = oracle.attention(block, x) if attends else block(tf.constant(x)).numpy()
    expected = oracle.score(discriminator._score, oracle.leaky(x, 0.2), _LABELS)
    np.testing.assert_allclose(discriminator(images, _LABELS), expected, 1e-5)


def test_what_is_normalized_and_what_is_not():
    generator, discriminator, _ = _pair()

    def layers(network, *kinds):
        found = network._flatten_layers(include_self=False)
        return {id(layer) for layer in found if isinstance(layer, kinds)}

    def spectral(network):
        return {id(x) for x in spectral_normalization.normalized_layers(network)}

    kinds = keras.layers.Dense, keras.layers.Conv2D
    assert spectral(generator) == layers(generator, *kinds)
    # Of 4 blocks, attention, the dense layer and the one to the image.
    assert len(spectral(generator)) == 4 * (4 + 8) + 4 + 2
    embedding = discriminator._score.embedding
    assert spectral(discriminator) == layers(discriminator, *kinds) | {id(embedding)}
    assert len(layers(generator, Normalization)) == 4 * 4 + 1
    assert not layers(discriminator, Normalization)


def test_every_kernel_starts_orthogonal_and_different():
    kernels = [
        np.array(v).reshape(-1, v.shape[-1])
        for network in _pair()[:2]
        for v in network.trainable_variables
        if v.name == "kernel"
    ]
    for kernel in kernels:
        tall = kernel if kernel.shape[0] >= kernel.shape[1] else kernel.T
        np.testing.assert_allclose(tall.T @ tall, np.eye(tall.shape[1]), atol=1e-5)
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 48}, "sizes of 16, 32, 64, 128 and 256, not 48: choose"),
        ({"width": 6}, "a multiple of 4, not 6"),
        ({"blocks_per_stage": 0}, "1 or more, not 0"),
        ({"attention_size": 48}, "one of (4, )?8, 16.* or None, not 48"),
    ],
)
@pytest.mark.parametrize("network", [biggan_deep.Generator, biggan_deep.Discriminator])
def test_what_cannot_be_built(settings, message, network):
    with pytest.raises(ConfigurationError, match=message):
        network(**settings)


def test_attention_needs_channels(count):
    generator = biggan_deep.Generator(64, width=4, attention_size=64, num_classes=0)
    assert count(generator, (128,)) > 0
    generator = biggan_deep.Generator(128, width=4, attention_size=128, num_classes=0)
    with pytest.raises(ConfigurationError, match="multiple of 8 channels, not 4"):
        count(generator, (128,))


@pytest.mark.slow
def test_xla_compiles_what_logan_differentiates(xla):
    """The gradient of a squared slope in the latents, through both networks."""
    generator, discriminator, latents = _pair(blocks_per_stage=1)
    latents = tf.constant(latents, tf.float32)

    def gradient():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(latents)
                scores = discriminator(generator(latents, _LABELS), _LABELS)
            loss = tf.reduce_sum(inner.gradient(scores, latents) ** 2)
        variables = [v.value for v in generator.trainable_variables]
        return outer.gradient(loss, variables, unconnected_gradients="zero")

    plain, compiled = gradient(), tf.function(gradient, jit_compile=True)()
    largest = max(np.abs(g).max() for g in plain)
    assert largest > 0
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3 * largest)


def test_blocks_that_are_computed_again_have_the_same_second_order_gradients(
    float64, randomize, monkeypatch
):
    passed = []

    def recorded(layer, *inputs, **options):
        passed.append(layer)
        return rematerialized(layer, *inputs, **options)

    monkeypatch.setattr(residual, "rematerialized", recorded)
    *networks, latents = _pair(blocks_per_stage=1)
    for network in networks:
        randomize(network)
    generator, discriminator = networks
    variables = [v.value for network in networks for v in network.trainable_variables]

    def gradients():
        z = tf.constant(latents)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(z)
                score = discriminator(generator(z, _LABELS), _LABELS)
            uphill = inner.gradient(score, z)
            loss = tf.reduce_sum(score) + tf.reduce_sum(uphill**2)
        return outer.gradient(loss, variables)

    kept = gradients()
    assert not passed
    generator.rematerialize = discriminator.rematerialize = True
    for expected, found in zip(kept, gradients(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    # Blocks and attention of both, and the discriminator's first convolution.
    assert len(passed) == len({id(layer) for layer in passed}) == 2 + 1 + 2 + 1 + 1
