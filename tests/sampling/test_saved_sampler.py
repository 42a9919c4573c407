"""A SavedModel as a sampler, and what is no such thing.

That it draws the run's samples is tested in test_export.py and cli/test_export.py.
"""

import json

import numpy as np
import pytest

from logan_tf.data.priors import uniform_prior
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.networks import mlp
from logan_tf.sampling.export import export
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.sampler import Sampler
from logan_tf.sampling.saved_sampler import SavedSampler
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.sampling.signatures import Signatures


@pytest.fixture
def path(tmp_path):
    networks = mlp.Generator(3, (5,)), mlp.Discriminator((5,))
    sampler = Sampler(SamplingGraph(*networks, None, uniform_prior, 0))
    signatures = Signatures(sampler.graph, 1, 4)
    receipt = {"latent_steps": 0, "checkpoint_step": 0} | signatures.description()
    # TensorFlow takes the name for a pattern that the folder does not fit.
    path = tmp_path / "model[1]"
    export(path, signatures, receipt, ["one"])
    return path


def test_bad_requests_are_refused_before_the_graph(path):
    saved = SavedSampler(path)
    assert saved.sample(4, SamplingSettings()).images.shape == (4, 2)
    for bad in ({"truncation": 2.0}, {"latent_steps": 1}):
        with pytest.raises(ConfigurationError):
            saved.sample(4, SamplingSettings(**bad))
    with pytest.raises(ConfigurationError):
        saved.sample(4, SamplingSettings(), interpolate=3)
    with pytest.raises(ConfigurationError):
        saved.sample(0, SamplingSettings())


def test_damage_is_bad_data(path):
    (path / "saved_model.pb").write_bytes(b"garbage")
    with pytest.raises(BadDataError, match="export it again"):
        SavedSampler(path)
    (path / "assets/receipt.json").write_text("{")
    with pytest.raises(BadDataError, match=r"receipt.json cannot be read"):
        SavedSampler(path)


@pytest.mark.parametrize(
    "wrong",
    ["NESTED", {"latent_steps": "none"}, {"num_classes": None}, {"conditional": 0}],
)
def test_a_garbled_receipt_is_bad_data(wrong, path):
    receipt = path / "assets/receipt.json"
    found = json.loads(receipt.read_text())
    text = "[" * 100_000 if wrong == "NESTED" else json.dumps(found | wrong)
    receipt.write_text(text)
    with pytest.raises(BadDataError, match=r"receipt.json cannot be read .*: export"):
        SavedSampler(path)


@pytest.mark.parametrize("arrays", [None, {}, {"modes": "text"}, {"sigma": [np.nan]}])
def test_garbled_points_are_bad_data(arrays, path):
    points = path / "assets/points.npz"
    if arrays is None:
        points.write_bytes(b"no zip")
    else:
        whole = {"modes": np.zeros((3, 2)), "sigma": 0.1, "real": np.zeros((4, 2))}
        np.savez(points, **whole | arrays if arrays else {})
    with pytest.raises(BadDataError, match=r"points.npz cannot be read .*: export"):
        SavedSampler(path).points()


def test_weights_that_are_missing_are_bad_data(path):
    for shard in (path / "variables").glob("*.data-*"):
        shard.unlink()
    with pytest.raises(BadDataError, match="export it again"):
        SavedSampler(path)


def test_other_formats_are_refused(path):
    receipt = path / "assets/receipt.json"
    found = json.loads(receipt.read_text())
    receipt.write_text(json.dumps(found | {"format": "logan_tf_saved_model/9"}))
    with pytest.raises(ConfigurationError, match="logan_tf_saved_model/9"):
        SavedSampler(path)
    (path / "saved_model.pb").unlink()
    with pytest.raises(ConfigurationError, match="no SavedModel of bin/export"):
        SavedSampler(path)
