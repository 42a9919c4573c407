"""What holds for every residual network."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.networks import biggan, biggan_deep, sagan, sngan_resnet

_LABELS, _OTHERS = np.array([2, 0, 4], np.int32), np.array([1, 0, 4], np.int32)
_MODULES = {
    biggan_deep: (16, {"embedding_dim": 3, "blocks_per_stage": 1}),
    biggan: (16, {"embedding_dim": 3}),
    sagan: (32, {}),
    sngan_resnet: (32, {}),
}
modules = pytest.mark.parametrize(
    "module", _MODULES, ids=lambda module: module.__name__.split(".")[-1]
)


def _pair(module, num_classes=5):
    size, extra = _MODULES[module]
    shared = {"num_classes": num_classes, "slope": 0.2}
    if module is not sngan_resnet:
        shared["attention_size"] = 8
    generator = module.Generator(size, 2, 4, 6, **shared, **extra)
    extra = {key: extra[key] for key in extra if key != "embedding_dim"}
    discriminator = module.Discriminator(size, 2, 4, **shared, **extra)
    latents = np.random.default_rng(1).uniform(-1, 1, (3, 6))
    discriminator(generator(latents, _LABELS), _LABELS)
    return generator, discriminator, latents


@pytest.fixture
def make_pair(float64, randomize):
    """Networks of a module in float64, whose weights are not neutral."""

    def make(module, **kwargs):
        networks = _pair(module, **kwargs)
        for network in networks[:2]:
            randomize(network)
            for variable in network.trainable_variables:
                if not np.any(np.array(variable)):
                    rng = np.random.default_rng(2)
                    variable.assign(0.3 * rng.normal(size=variable.shape))
        return networks

    return make


@modules
def test_classes_matter_and_samples_do_not_depend_on_each_other(module, make_pair):
    generator, discriminator, latents = make_pair(module)
    size = _MODULES[module][0]
    images = generator(latents, _LABELS, training=False)
    assert images.shape == (3, size, size, 2)
    assert discriminator.image_shape == (size, size, 2)
    assert generator.latent_dim == 6
    assert generator.conditional
    changed = np.abs(generator(latents, _OTHERS, training=False) - images)
    assert changed[0].max() > 1e-3
    assert np.all(changed[1:] == 0)
    scores = discriminator(images, _LABELS)
    assert scores.shape == (3,)
    changed = np.abs(discriminator(images, _OTHERS) - scores)
    np.testing.assert_array_equal(changed > 1e-3, [True, False, False])
    alone = generator(latents[:1], _LABELS[:1], training=False)
    np.testing.assert_allclose(alone, images[:1], atol=1e-10)
    alone = discriminator(images[:1], _LABELS[:1])
    np.testing.assert_allclose(alone, scores[:1], 1e-9)
    together = generator(latents, _LABELS)[:2] - generator(latents[:2], _LABELS[:2])
    assert np.abs(together).max() > 1e-3


@modules
def test_without_classes_labels_do_not_matter(module, make_pair):
    generator, discriminator, latents = make_pair(module, num_classes=0)
    assert not generator.conditional
    images = generator(latents)
    np.testing.assert_array_equal(generator(latents, _LABELS), images)
    scores = discriminator(images)
    np.testing.assert_array_equal(discriminator(images, _LABELS), scores)


@modules
def test_passes_change_no_state_and_variables_have_one_order(module):
    first, second = _pair(module), _pair(module)
    variables = [v for network in first[:2] for v in network.variables]
    before = [np.array(v) for v in variables]
    first[1](first[0](first[2], _LABELS, training=True), _LABELS)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    again = [v for network in second[:2] for v in network.variables]
    assert [(v.name, v.shape) for v in again] == [(v.name, v.shape) for v in variables]
    for other, variable in zip(again, variables, strict=True):
        other.assign(variable)
    latents = first[2]
    np.testing.assert_array_equal(
        second[0](latents, _LABELS), first[0](latents, _LABELS)
    )


@modules
def test_in_bfloat16_scores_and_images_are_float32(module):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = _pair(module)
    finally:
        keras.config.set_dtype_policy(before)
    whole = _pair(module)
    for mine, other in zip(half[:2], whole[:2], strict=True):
        for variable, value in zip(mine.variables, other.variables, strict=True):
            assert variable.dtype == "float32"
            variable.assign(value)
    images = half[0](half[2], _LABELS)
    scores = half[1](images, _LABELS)
    assert images.dtype == scores.dtype == tf.float32
    # A small step of the latents is not rounded away before the first product.
    step = 2.0**-12 * np.random.default_rng(3).normal(size=half[2].shape)
    assert np.abs(half[0](half[2] + step, _LABELS) - images).max() > 0
    for layer in half[0]._flatten_layers(include_self=False):
        if layer.name.startswith(("dense", "spectral_dense")):
            assert layer.compute_dtype == "float32"
    expected = whole[0](half[2], _LABELS)
    assert 0 < np.abs(images - expected).max() < 0.2
    expected = np.array(whole[1](images, _LABELS))
    np.testing.assert_allclose(scores, expected, atol=0.05 * np.abs(expected).max())


@pytest.mark.parametrize("module", [biggan, sagan])
def test_gradients_through_both_networks(module, make_pair, central_difference):
    """Along one direction in all variables of a network at once.

    BigGAN-deep's are those of a whole game, in `tests/game/test_gradients.py`.
    """
    generator, discriminator, latents = make_pair(module)
    rng = np.random.default_rng(4)

    def value():
        scores = discriminator(generator(latents, _LABELS), _LABELS)
        return tf.reduce_sum(tf.constant([1.0, -2.0, 3.0], scores.dtype) * scores)

    for network in (generator, discriminator):
        variables = network.trainable_variables
        with tf.GradientTape() as tape:
            result = value()
        gradients = tape.gradient(result, [v.value for v in variables])
        along = [rng.normal(size=variable.shape) for variable in variables]
        expected = central_difference(value, variables, along, 1e-8)
        found = sum(np.sum(g * a) for g, a in zip(gradients, along, strict=True))
        np.testing.assert_allclose(found, expected, 1e-5)


@modules
@pytest.mark.parametrize("network", ["Generator", "Discriminator"])
def test_sizes_that_have_no_table(module, network):
    with pytest.raises(ConfigurationError, match=r"128.*, not 48: choose another"):
        getattr(module, network)(48)
    if module is not sngan_resnet:
        with pytest.raises(ConfigurationError, match=r"8, .*16.* or None, not 48"):
            getattr(module, network)(32, attention_size=48)
