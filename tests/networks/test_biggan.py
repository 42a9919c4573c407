import numpy as np
import pytest

from logan_tf.errors import ConfigurationError
from logan_tf.networks import biggan


def test_parameters_as_published(count):
    assert count(biggan.Generator(), (120,)) == 70_433_988
    assert count(biggan.Discriminator(), (128, 128, 3)) == 87_982_370


def test_networks_are_tables_4_and_5(stages):
    generator = biggan.Generator(width=4, num_classes=2)
    block, attention = "GeneratorBlock", "SelfAttention"
    assert stages(generator, (120,)) == [
        (block, 8, 64),
        (block, 16, 32),
        (block, 32, 16),
        (block, 64, 8),
        (attention, 64, 8),
        (block, 128, 4),
    ]
    discriminator = biggan.Discriminator(width=8, num_classes=2)
    block = "DiscriminatorBlock"
    assert stages(discriminator, (128, 128, 3)) == [
        (block, 64, 8),
        (attention, 64, 8),
        (block, 32, 16),
        (block, 16, 32),
        (block, 8, 64),
        (block, 4, 128),
        (block, 4, 128),
    ]
    assert [layer.activate for layer in discriminator._blocks[::2]] == [
        False,
        True,
        True,
        True,
    ]


def test_each_chunk_has_its_place(float64):
    generator = biggan.Generator(
        16, 1, 4, 6, num_classes=3, embedding_dim=2, attention_size=None
    )
    latents = np.random.default_rng(0).normal(size=(2, 6))
    labels = np.array([2, 1], np.int32)
    generator(latents, labels)
    first, conditions = generator.conditions(latents, labels)
    rows = np.array(generator._embedding.kernel)[labels]
    np.testing.assert_array_equal(first, latents[:, :2])
    for index, condition in enumerate(conditions):
        chunk = latents[:, 2 * index + 2 : 2 * index + 4]
        np.testing.assert_array_equal(condition, np.concatenate([chunk, rows], -1))
    assert len(conditions) == 2
    assert generator._project.kernel.shape == (2, 16 * 16)


@pytest.mark.parametrize("latent_dim", [0, 121])
def test_latents_that_cannot_be_cut(latent_dim):
    with pytest.raises(ConfigurationError, match=f"6 chunks.* not {latent_dim}"):
        biggan.Generator(latent_dim=latent_dim)
