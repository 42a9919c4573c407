"""Exports: their functions, in this process and in one that lacks the package."""

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data.priors import uniform_prior
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.game import latent
from logan_tf.networks import mlp, sngan
from logan_tf.sampling.export import export
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.sampler import Sampler, _tensors
from logan_tf.sampling.saved_sampler import SavedSampler
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.sampling.signatures import Signatures

DIM, BATCH, CLASSES = 6, 16, 10
NGD = functools.partial(latent.natural_gradient_step, step_size=0.5, damping=0.01)
RECEIPT = {"checkpoint_step": 7, "latent_steps": 1}
NAMES = [f"class {number}" for number in range(CLASSES)]


class Generator(sngan.Generator):
    """Dims the pictures of higher classes."""

    conditional = True

    def call(self, latents, labels=None, training=True):
        images = super().call(latents, labels, training)
        return images * (1 - tf.cast(labels, tf.float32) / 20)[:, None, None, None]


def make_sampler():
    graph = SamplingGraph(
        Generator(16, 3, width=4, latent_dim=DIM),
        sngan.Discriminator(16, 3, width=4),
        latent.LatentOptimizer(NGD, 0.7),
        uniform_prior,
        CLASSES,
        batch_size=BATCH,
    )
    return Sampler(graph)


def small_sampler(optimizer=True):
    graph = SamplingGraph(
        mlp.Generator(DIM, (5,)),
        mlp.Discriminator((5,)),
        latent.LatentOptimizer(NGD, 0.7) if optimizer else None,
        uniform_prior,
        CLASSES,
        batch_size=BATCH,
    )
    return Sampler(graph)


def make_export(path, sampler, **arguments) -> str:
    signatures = Signatures(
        sampler.graph, standing_batches=3, standing_batch_size=20, **arguments
    )
    export(path, signatures, RECEIPT | signatures.description(), NAMES)
    return str(path)


@pytest.fixture(scope="module")
def sampler():
    tf.keras.utils.set_random_seed(0)
    sampler = make_sampler()
    sampler.collect_standing(3, SamplingSettings(), batch_size=20)
    return sampler


@pytest.fixture(scope="module")
def path(sampler, tmp_path_factory):
    return make_export(tmp_path_factory.mktemp("export") / "saved_model", sampler)


@pytest.fixture(scope="module")
def functions(path):
    return tf.saved_model.load(path).signatures


def expected(sampler, num, *, seed, steps=0, truncation=1.0, **arguments):
    """What bin/sample does; the standing statistics of the fixture stay in place."""
    before = [
        tf.identity(x) for x in tf.nest.flatten(sampler.graph.standing.assigned())
    ]
    settings = SamplingSettings(seed, steps, truncation)
    sampler.collect_standing(3, settings, batch_size=20)
    found = sampler.sample(num, settings, **arguments)
    held = sampler.graph.standing
    held.assign(tf.nest.pack_sequence_as(held.assigned(), before))
    return found


ELSEWHERE = """
import json, sys
for name in ("logan_tf", "keras", "tf_keras"):
    sys.modules[name] = None  # an import raises ImportError
import numpy as np
import tensorflow as tf
try:
    import logan_tf
except ImportError:
    pass
else:
    sys.exit("the package can be imported")
path, requests, output = sys.argv[1:]
functions = tf.saved_model.load(path).signatures
types = dict(num=tf.int32, columns=tf.int32, latent_steps=tf.int32,
             truncation=tf.float32, seed=tf.int64, labels=tf.int32)
found = {}
for number, (name, inputs) in enumerate(json.loads(requests)):
    inputs = {key: tf.constant(value, types[key]) for key, value in inputs.items()}
    for key, value in functions[name](**inputs).items():
        found[f"{number}/{key}"] = value.numpy()
np.savez(output, **found)
"""
DRAWN = {"labels": [], "truncation": 1.0, "latent_steps": 0}


@pytest.mark.slow
def test_a_process_without_the_package_draws_the_same_bits(sampler, path, tmp_path):
    some = [number % CLASSES for number in range(40)]
    requests = [
        ("sample", {"num": 40, "truncation": 0.4, "seed": 5, "labels": some}),
        (
            "sample_optimized",
            {"num": 3, "latent_steps": 2, "seed": 1, "labels": [9] * 3},
        ),
        ("draw", DRAWN | {"num": 1, "seed": 0}),
        ("draw", DRAWN | {"num": 33, "seed": 2**40, "truncation": 0.3}),
        ("draw", DRAWN | {"num": 17, "seed": 2, "latent_steps": 5, "truncation": 0.7}),
        (
            "interpolate",
            DRAWN | {"num": 20, "seed": 3, "latent_steps": 1, "columns": 5},
        ),
    ]
    output = tmp_path / "found.npz"
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, path, json.dumps(requests), str(output)],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = np.load(output)
    wanted = [
        expected(sampler, 40, seed=5, truncation=0.4, labels=np.array(some)),
        expected(sampler, 3, seed=1, steps=2, labels=np.array([9] * 3)),
        expected(sampler, 1, seed=0),
        expected(sampler, 33, seed=2**40, truncation=0.3),
        expected(sampler, 17, seed=2, steps=5, truncation=0.7),
        expected(sampler, 20, seed=3, steps=1, interpolate=5),
    ]
    for number, samples in enumerate(wanted):
        np.testing.assert_array_equal(found[f"{number}/images"], samples.images)
        if f"{number}/latents" in found:
            np.testing.assert_array_equal(found[f"{number}/latents"], samples.latents)
            np.testing.assert_array_equal(found[f"{number}/labels"], samples.labels)
    assert {name for name in found if name.startswith("0/")} == {"0/images"}
    assert len({samples.images.tobytes() for samples in wanted}) == len(wanted)


def call(functions, name, **inputs):
    types = {"truncation": tf.float32, "seed": tf.int64}
    types |= {"latents": tf.float32, "images": tf.float32}
    return functions[name](
        **{k: tf.constant(v, types.get(k, tf.int32)) for k, v in inputs.items()}
    )


@pytest.mark.parametrize("num", [1, 7])
def test_serving_takes_latents_and_scores_judge_images(num, functions, sampler):
    latents = np.random.default_rng(0).uniform(-1, 1, (num, DIM))
    labels = np.arange(num) % CLASSES
    # Others' requests with other settings leave no trace.
    call(functions, "draw", **DRAWN | {"num": 2, "seed": 9, "truncation": 0.1})
    served = call(functions, "serving_default", latents=latents, labels=labels)
    images = served["images"].numpy()
    assert images.shape == (num, 16, 16, 3)
    given = tf.constant(latents, tf.float32), tf.constant(labels, tf.int32)
    own = sampler.graph.generator(*given, training=False)
    np.testing.assert_allclose(images, own, atol=1e-6)
    scores = call(functions, "score", images=images, labels=labels)["scores"]
    np.testing.assert_allclose(
        scores, sampler.graph.discriminator(images, given[1]), rtol=1e-4, atol=1e-5
    )


SAMPLE = {"num": 2, "truncation": 1.0, "seed": 0, "labels": [0, 1]}
LINES = DRAWN | {"num": 6, "seed": 0, "columns": 3}


@pytest.mark.parametrize(
    ("name", "inputs", "cause"),
    [
        (
            "sample",
            SAMPLE | {"num": 0, "labels": []},
            r"num must be at least 1.* \[0\]",
        ),
        ("draw", DRAWN | {"num": -3, "seed": 0}, r"num must be at least 1"),
        ("sample", SAMPLE | {"truncation": 0.0}, "truncation must be above 0"),
        ("sample", SAMPLE | {"truncation": 1.01}, r"at most 1, not\] \[1.01\]"),
        ("sample", SAMPLE | {"truncation": float("nan")}, "truncation"),
        ("sample", SAMPLE | {"labels": [0]}, "one class an example"),
        ("sample", SAMPLE | {"labels": []}, "one class an example"),
        (
            "sample",
            SAMPLE | {"labels": [0, 10]},
            r"labels must be 0 to 9, not\] \[0 10",
        ),
        ("draw", DRAWN | {"num": 2, "seed": 0, "labels": [-1, 0]}, "0 to 9"),
        ("draw", DRAWN | {"num": 2, "seed": 0, "labels": [1]}, "num classes"),
        ("draw", DRAWN | {"num": 2, "seed": 0, "latent_steps": -1}, "at least 0"),
        ("interpolate", LINES | {"columns": 4}, "divisor of num"),
        ("interpolate", LINES | {"columns": 1}, "at least 2"),
        ("serving_default", {"latents": [[0.0] * 5], "labels": [0]}, r"\[n, 6\]"),
        ("serving_default", {"latents": [0.0] * 6, "labels": [0]}, r"\[n, 6\]"),
        (
            "serving_default",
            {"latents": np.zeros((0, 6)), "labels": []},
            "n at least 1",
        ),
        ("serving_default", {"latents": [[0.0] * 6], "labels": [10]}, "0 to 9"),
        ("serving_default", {"latents": [[0.0] * 6], "labels": [1, 2]}, "an example"),
        (
            "score",
            {"images": np.zeros((1, 8, 8, 3)), "labels": [0]},
            r"16, 3\], n at least",
        ),
    ],
)
def test_the_graph_refuses_what_cannot_be_drawn(name, inputs, cause, functions):
    with pytest.raises(tf.errors.InvalidArgumentError, match=cause):
        call(functions, name, **inputs)


def test_latents_take_exactly_so_many_steps(functions, sampler):
    """Against steps by hand on the exported functions' own score."""
    request = {"num": 4, "seed": 2, "labels": [1, 2, 3, 4], "truncation": 0.5}
    labels = tf.constant(request["labels"])
    start = tf.Variable(call(functions, "draw", latent_steps=0, **request)["latents"])
    standing = sampler.graph.standing
    for steps in (1, 2, 3):
        settings = _tensors(SamplingSettings(2, steps, 0.5))
        statistics = sampler.graph.collect(*settings, num_batches=3, batch_size=20)
        moved = tf.identity(start)
        with standing.given(statistics):
            for _ in range(steps):
                with tf.GradientTape() as tape:
                    tape.watch(moved)
                    images = sampler.graph.generator(moved, labels, training=False)
                    score = sampler.graph.discriminator(images, labels)
                slope = tape.gradient(score, moved)[:, :4]
                squared = tf.reduce_sum(slope**2, -1, keepdims=True)
                ahead = moved[:, :4] + 0.5 * slope / (0.01 + squared)
                moved = tf.concat([tf.clip_by_value(ahead, -1, 1), moved[:, 4:]], -1)
        found = call(functions, "draw", latent_steps=steps, **request)["latents"]
        np.testing.assert_allclose(found, moved, atol=1e-4)
        assert np.abs(moved - start).max() > 1e-2


def test_a_network_that_ignores_labels_has_no_such_input(tmp_path):
    sampler = small_sampler()
    saved = SavedSampler(make_export(tmp_path / "model", sampler))
    functions = saved._signatures
    for name in ("serving_default", "sample", "draw", "score", "sample_optimized"):
        assert "labels" not in functions[name].structured_input_signature[1]
    # Classes are drawn and written down all the same.
    steps = saved.latent_steps
    found = saved.sample(20, SamplingSettings(3, steps))
    wanted = expected(sampler, 20, seed=3, steps=1)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("arguments", "optimizer", "names"),
    [
        ({"discriminator": False}, True, set()),
        ({}, False, {"score"}),
        ({}, True, {"score", "sample_optimized"}),
    ],
)
def test_what_is_left_out(arguments, optimizer, names, tmp_path):
    sampler = small_sampler(optimizer)
    path = make_export(tmp_path / "model", sampler, **arguments)
    loaded = tf.saved_model.load(path)
    always = {"serving_default", "sample", "draw", "interpolate"}
    assert set(loaded.signatures) == always | names
    held = sum(np.size(variable) for variable in loaded.networks)
    parts = [sampler.graph.generator]
    parts += [sampler.graph.discriminator] if "score" in names else []
    assert held == sum(np.size(v) for part in parts for v in part.variables)
    if "sample_optimized" not in names:
        with pytest.raises(tf.errors.InvalidArgumentError, match="no latent optimizer"):
            call(
                loaded.signatures,
                "draw",
                num=1,
                seed=0,
                latent_steps=1,
                truncation=1.0,
            )
        with pytest.raises(ConfigurationError, match="set latent_steps to 0"):
            SavedSampler(path).sample(1, SamplingSettings(latent_steps=1))


def test_an_export_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path, sampler = tmp_path / "model", small_sampler()
    make_export(path, sampler)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}

    def half(root, export_dir, **_):
        with open(f"{export_dir}/saved_model.pb", "wb") as file:
            file.write(b"half")
        assert (path / "saved_model.pb").read_bytes() != b"half"
        raise OSError("no space left")

    monkeypatch.setattr(tf.saved_model, "save", half)
    with pytest.raises(BadDataError, match="no space left"):
        make_export(path, sampler)
    assert {f: f.read_bytes() for f in path.rglob("*") if f.is_file()} == before
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
