import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers import spectral_normalization
from logan_tf.layers.batch_normalization import Normalization
from logan_tf.layers.self_attention import SelfAttention
from logan_tf.networks import biggan_deep

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


def _stages(network, shape):
    """(size, channels) after each block, and the numbers of those that attend."""
    seen = []

    def remember(layer, found):
        original = layer.call

        def call(x, *args, **kwargs):
            y = original(x, *args, **kwargs)
            found.append((type(layer).__name__, y.shape[1], y.shape[-1]))
            return y

        layer.call = call

    for layer in network._blocks:
        remember(layer, seen)
    if getattr(network, "_attention", None) is not None:
        remember(network._attention, seen)
    labels = keras.KerasTensor((2,), dtype="int32")
    network(keras.KerasTensor((2, *shape)), labels)
    # Building calls the layers once before.
    return seen[-len(seen) // 2 :]


_BLOCK, _ATTENTION = "GeneratorBlock", "SelfAttention"


def test_generator_is_table_7():
    generator = biggan_deep.Generator(width=4, num_classes=2)
    blocks = [(4, 16), (8, 16), (8, 16), (16, 8), (16, 8), (32, 4), (32, 4), (64, 2)]
    expected = [(_BLOCK, size, 4 * multiple) for size, multiple in blocks]
    expected.append((_ATTENTION, 64, 8))
    expected += [(_BLOCK, 64, 8), (_BLOCK, 128, 4)]
    assert _stages(generator, (128,)) == expected


def test_discriminator_is_table_7():
    discriminator = biggan_deep.Discriminator(width=4, num_classes=2)
    block = "DiscriminatorBlock"
    expected = [("SpectralConv2D", 128, 4), (block, 64, 8), (block, 64, 8)]
    expected.append((_ATTENTION, 64, 8))
    blocks = [(32, 4), (16, 8), (8, 16), (4, 16)]
    expected += [
        (block, size, 4 * multiple) for size, multiple in blocks for _ in range(2)
    ]
    assert _stages(discriminator, (128, 128, 3)) == expected


@pytest.mark.parametrize(
    ("size", "attention", "depth"),
    [(16, None, 1), (32, 16, 2), (64, 32, 1), (64, 64, 2), (256, 64, 1)],
)
def test_other_sizes(size, attention, depth):
    labels = keras.KerasTensor((2,), dtype="int32")
    settings = {"num_classes": 3, "blocks_per_stage": depth}
    generator = biggan_deep.Generator(
        size, 1, 4, 6, attention_size=attention, **settings
    )
    images = generator(keras.KerasTensor((2, 6)), labels)
    assert images.shape == (2, size, size, 1)
    assert generator.latent_dim == 6
    attention = 32 if attention == 64 == size else attention
    discriminator = biggan_deep.Discriminator(
        size, 1, 4, attention_size=attention, **settings
    )
    assert discriminator.image_shape == (size, size, 1)
    assert discriminator(images, labels).shape == (2,)
    stages = {16: 2, 32: 3, 64: 4, 256: 6}[size]
    assert len(generator._blocks) == depth * stages
    attending = [x for x in discriminator._blocks if isinstance(x, SelfAttention)]
    assert len(attending) == (attention is not None)


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


def test_classes_matter_and_without_classes_labels_do_not(pair):
    generator, discriminator, latents = pair
    other = np.array([1, 0, 4], np.int32)
    images = generator(latents, _LABELS)
    assert generator.conditional
    changed = np.abs(
        generator(latents, other, training=False)
        - generator(latents, _LABELS, training=False)
    ).max((1, 2, 3))
    assert changed[0] > 1e-3
    assert np.all(changed[1:] == 0)
    difference = discriminator(images, other) - discriminator(images, _LABELS)
    np.testing.assert_array_equal(np.abs(difference) > 1e-3, [True, False, False])
    generator, discriminator, _ = _pair(num_classes=0)
    assert not generator.conditional
    images = generator(latents)
    np.testing.assert_array_equal(generator(latents, other), images)
    np.testing.assert_array_equal(discriminator(images, other), discriminator(images))


def test_scores_and_samples_do_not_depend_on_the_rest_of_the_batch(pair):
    generator, discriminator, latents = pair
    images = generator(latents, _LABELS, training=False)
    alone = generator(latents[:1], _LABELS[:1], training=False)
    np.testing.assert_allclose(alone, images[:1], atol=1e-10)
    scores = discriminator(images, _LABELS)
    alone = discriminator(images[:1], _LABELS[:1])
    np.testing.assert_allclose(alone, scores[:1], 1e-9)
    trained = generator(latents, _LABELS)[:2] - generator(latents[:2], _LABELS[:2])
    assert np.abs(trained).max() > 1e-3


def test_passes_of_training_change_no_state_and_variables_have_one_order(pair):
    variables = [v for network in pair[:2] for v in network.variables]
    before = [np.array(v) for v in variables]
    pair[1](pair[0](pair[2], _LABELS, training=True), _LABELS)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    again = [v for network in _pair()[:2] for v in network.variables]
    assert [(v.name, v.shape) for v in again] == [(v.name, v.shape) for v in variables]


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


def test_in_bfloat16_scores_and_images_are_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = _pair()
    finally:
        keras.config.set_dtype_policy(before)
    whole = _pair()
    for mine, other in zip(half[:2], whole[:2], strict=True):
        for variable, value in zip(mine.variables, other.variables, strict=True):
            assert variable.dtype == "float32"
            variable.assign(value)
    images = half[0](half[2], _LABELS)
    scores = half[1](images, _LABELS)
    assert images.dtype == scores.dtype == tf.float32
    expected = whole[0](half[2], _LABELS)
    assert 0 < np.abs(images - expected).max() < 0.2
    expected = np.array(whole[1](images, _LABELS))
    np.testing.assert_allclose(scores, expected, atol=0.05 * np.abs(expected).max())


def test_xla_compiles_a_pass_and_its_second_derivative(xla):
    generator, discriminator, latents = _pair(blocks_per_stage=1)
    latents = tf.constant(latents, tf.float32)

    def gradient():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(latents)
                scores = discriminator(generator(latents, _LABELS), _LABELS)
            slope = inner.gradient(scores, latents)
            loss = tf.reduce_sum(slope**2)
        variables = [v.value for v in generator.trainable_variables]
        return outer.gradient(loss, variables, unconnected_gradients="zero")

    plain, compiled = gradient(), tf.function(gradient, jit_compile=True)()
    largest = max(np.abs(g).max() for g in plain)
    assert largest > 0
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3 * largest)
