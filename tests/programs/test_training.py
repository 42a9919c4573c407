"""What leaves to be trained elsewhere is what is trained here, and comes back."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.programs import training
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.sampler import Sampler
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.training.step import TrainStep

STANDING = 2


def _graph(experiment):
    return SamplingGraph(
        experiment.averaged_generator,
        experiment.discriminator,
        experiment.latent_optimizer,
        experiment.prior,
        experiment.dataset.num_classes,
        batch_size=8,
    )


@pytest.fixture(scope="module")
def folder(small_sngan, tmp_path_factory):
    experiment = small_sngan()
    path = tmp_path_factory.mktemp("programs")
    training.write(training.Source(experiment, _graph(experiment), STANDING), path, 3)
    return path


@pytest.fixture(scope="module")
def run(folder):
    """(program, given, state) → its results by name; TensorFlow's XLA runs them."""
    manifest = json.loads((folder / "manifest.json").read_text())

    def call(name, given, state):
        entry = manifest[name]
        values = given | state
        text = (folder / entry["file"]).read_text()

        @tf.function(jit_compile=True)
        def program(*arguments):
            return gen_xla_ops.xla_call_module(
                args=list(arguments),
                version=9,
                module=text,
                Sout=[tuple(output["shape"]) for output in entry["outputs"]],
                Tout=[tf.as_dtype(output["dtype"]) for output in entry["outputs"]],
                platforms=["CPU"],
            )

        found = program(*(tf.constant(values[x["name"]]) for x in entry["inputs"]))
        names = [output["name"] for output in entry["outputs"]]
        return dict(zip(names, (x.numpy() for x in found), strict=True))

    return call


def _load(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_latents_and_batches_are_those_of_training(folder, run, small_sngan):
    given = _load(folder / "batches.npz")
    for name in ("latents", "fake_labels", "images", "labels"):
        assert len(given[name]) == 3
    drawn = run("draw", {"first": np.int64(1)}, {})
    np.testing.assert_array_equal(drawn["latents"][:2], given["latents"][1:])
    np.testing.assert_array_equal(drawn["fake_labels"][:2], given["fake_labels"][1:])
    images = _load(folder / "images.npz")
    first = small_sngan().dataset
    np.testing.assert_array_equal(images["images"], first._images)
    np.testing.assert_array_equal(images["labels"], first._labels)


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_its_steps_are_ours(folder, run, small_sngan, strategy, tmp_path):
    state, given = _load(folder / "state.npz"), _load(folder / "batches.npz")
    most = len(run("draw", {"first": np.int64(0)}, {})["latents"])
    padded = {
        name: np.pad(x, [(0, most - 3)] + [(0, 0)] * (x.ndim - 1))
        for name, x in given.items()
    }
    found = run("step", padded | {"count": np.int32(3)}, state)
    (metrics,) = (x for name, x in found.items() if name.startswith("metrics: "))
    experiment = small_sngan()
    step = TrainStep(experiment, strategy)
    rows = step.run(iter(experiment.batches()), 3)
    for place, name in enumerate(step.metric_names):
        np.testing.assert_allclose(metrics[:3, place], rows[name], 1e-3, 1e-5)
    assert not metrics[3:].any()
    expected = training.names_of(experiment, step.step)
    changed = {name: x for name, x in found.items() if name in expected}
    assert changed["step"] == 3
    for name, x in changed.items():
        np.testing.assert_allclose(x, expected[name], 1e-3, 2e-5, err_msg=name)
    # And back: into another experiment of the recipe.
    path = tmp_path / "trained.npz"
    np.savez(path, **(state | changed))
    other = small_sngan(seed=1)
    steps_done = tf.Variable(0, dtype=tf.int64)
    variables = training.names_of(other, steps_done)
    assert training.read_state(path, variables) == 3
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, (state | changed)[name])


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_its_samples_are_ours(folder, run, small_sngan):
    state = _load(folder / "state.npz")
    given = {"seed": np.int64(5), "first": np.int64(8)}
    found = run("sample", given, state)
    experiment = small_sngan()
    sampler = Sampler(_graph(experiment))
    settings = SamplingSettings(5)
    sampler.collect_standing(STANDING, settings, batch_size=experiment.batch_size)
    expected = sampler.sample(16, settings)
    np.testing.assert_array_equal(found["labels"], expected.labels[8:])
    np.testing.assert_allclose(found["images"], expected.images[8:], atol=1e-5)


def test_a_state_that_is_none(small_sngan, tmp_path):
    experiment = small_sngan()
    variables = training.names_of(experiment, tf.Variable(0, dtype=tf.int64))
    path = tmp_path / "trained.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(BadDataError, match="no state of a run"):
        training.read_state(path, variables)
    np.savez(path, step=np.int64(3))
    with pytest.raises(ConfigurationError, match=r"lacks .* of another recipe"):
        training.read_state(path, variables)
    values = {name: variable.numpy() for name, variable in variables.items()}
    np.savez(path, **(values | {"step": np.float32(3)}))
    with pytest.raises(ConfigurationError, match="step of float32"):
        training.read_state(path, variables)
    values["generator/dense/kernel"] = np.zeros((2, 2), np.float32)
    np.savez(path, **values)
    with pytest.raises(
        ConfigurationError, match=r"shape \(2, 2\), the recipe of float32 and \(8, "
    ):
        training.read_state(path, variables)
