"""A host's part of each batch: together the global batch, and nothing made in vain."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import batch, pixels
from logan_tf.data.batch import Part
from logan_tf.data.points import Ring
from logan_tf.data.stacked_digits import StackedDigits
from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import ConfigurationError

SIZE = 12
SETTINGS = {
    "batch_size": SIZE,
    "latent_dim": 3,
    "images_per_step": 2,
    "latents_per_step": 3,
    "num_draws": 2,
    "seed": 5,
    "first_step": 59,  # Of 24 pictures each, so that the second one ends the epoch.
}


@pytest.fixture(scope="module")
def datasets(data_dir):
    def digits(**settings):
        return TFDSImages("digits", 8, 1, data_dir=data_dir, **settings)

    return {
        "flipped": digits(flip=True),
        "streamed": digits(flip=True, limit=0, shuffle_buffer=100),
        "stacked": StackedDigits(8, data_dir),
        "ring": Ring(),
    }


def take(dataset, num, part=batch.WHOLE, **settings):
    pipeline = batch.batches(dataset, **SETTINGS | settings, part=part)
    return list(itertools.islice(pipeline, num))


@pytest.mark.parametrize(("num_hosts", "num_replicas"), [(2, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("name", ["flipped", "streamed", "stacked", "ring"])
def test_parts_are_the_global_batch(name, num_hosts, num_replicas, datasets):
    whole = take(datasets[name], 3)
    parts = [
        take(datasets[name], 3 * num_replicas, Part(host, num_hosts, num_replicas))
        for host in range(num_hosts)
    ]
    for step, expected in enumerate(whole):
        own = slice(step * num_replicas, (step + 1) * num_replicas)
        elements = [element for of_host in parts for element in of_host[own]]
        for field, value in expected._asdict().items():
            found = [getattr(element, field) for element in elements]
            assert {len(x) for x in found} == {SIZE // num_hosts // num_replicas}
            np.testing.assert_array_equal(np.concatenate(found), value, field)


@pytest.mark.parametrize("part", [Part(1, 2, 1), Part(0, 1, 4)])
def test_a_part_has_static_shapes_and_no_end(part, datasets):
    pipeline = batch.batches(datasets["streamed"], **SETTINGS, part=part)
    size = SIZE // part.num_hosts // part.num_replicas
    assert pipeline.element_spec.images.shape == (size, 2, 8, 8, 1)
    assert pipeline.element_spec.fake_labels.shape == (size, 3)
    # Several workers ask each other before each batch of a data set that may end.
    assert pipeline.cardinality() == tf.data.INFINITE_CARDINALITY


def test_a_host_decodes_its_own_rows_alone(datasets, monkeypatch):
    decoded = []
    picture = datasets["streamed"]._picture

    def counting(example):
        with tf.control_dependencies([tf.py_function(decoded.append, [1], [])]):
            return picture(example)

    monkeypatch.setattr(datasets["streamed"], "_picture", counting)
    settings = {"batch_size": 200, "images_per_step": 1, "first_step": 0}
    take(datasets["streamed"], 3, Part(3, 4, 1), **settings)
    # Three elements of fifty, and what is prefetched; all rows would be 600 and more.
    assert 150 <= len(decoded) <= 350


def test_a_host_gathers_its_own_rows_alone(datasets, monkeypatch):
    sizes = []
    to_float = pixels.to_float
    monkeypatch.setattr(
        pixels, "to_float", lambda x: sizes.append(x.shape[0]) or to_float(x)
    )
    for name in ("flipped", "stacked"):
        take(datasets[name], 1, Part(1, 4, 1))
    assert sizes == [6, 6]


def test_parts_must_divide_the_batch():
    with pytest.raises(ConfigurationError, match=r"batch_size 12 .* into 5 parts"):
        take(Ring(), 1, Part(0, 5, 1))
