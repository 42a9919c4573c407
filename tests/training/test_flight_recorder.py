"""Bundles of failures, and repeating the step that one is about."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import CollapsedError, DivergedError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.flight_recorder import FlightRecorder
from logan_tf.training.trainer import Trainer

STRATEGY = tf.distribute.get_strategy()


def train(experiment, path, **settings) -> None:
    directory = RunDirectory(path)
    directory.path.mkdir(exist_ok=True)
    directory.config.write_text("seed = 3\n")
    made = Trainer(experiment, STRATEGY, directory, **settings)
    made.restore()
    made.train(progress=False)


def read(bundle: Path) -> tuple[dict, list[dict]]:
    """The failure and the last steps."""
    lines = (bundle / "steps.jsonl").read_text().splitlines()
    failure = json.loads((bundle / "failure.json").read_text())
    return failure, [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def bundle(toy, once_broken_ring, tmp_path_factory) -> RunDirectory:
    """Of step 5, whose data is NaN, in a run with checkpoints at 0, 3, 6, 9."""
    path = tmp_path_factory.mktemp("run")
    train(toy(dataset=once_broken_ring()), path, total_steps=9, checkpoint_every=3)
    return RunDirectory(path / "failures" / "step-00000005-attempt-0")


def test_what_a_bundle_holds(bundle):
    failure, steps = read(bundle.path)
    assert (failure["step"], failure["attempt"], failure["seed"]) == (5, 0, 3)
    assert failure["checkpoint"] == 3
    assert "discriminator_loss" in failure["reason"]
    assert failure["versions"]["tensorflow"] == tf.__version__
    assert [row["step"] for row in steps] == [1, 2, 3, 4, 5]
    assert [row["attempt"] for row in steps] == [0] * 5
    wanted = {"discriminator_loss", "generator_loss", "delta_z_norm"}
    wanted |= {"discriminator_gradient_norm", "discriminator_sigma"}
    assert all(wanted <= set(row) for row in steps)
    assert steps[-1]["discriminator_loss"] == "nan"
    assert all(np.isfinite(row["discriminator_loss"]) for row in steps[:-1])
    assert bundle.config.read_text() == "seed = 3\n"
    # The checkpoint outlives the run's own, which was removed after step 9.
    assert not (bundle.path.parents[1] / "checkpoints" / "ckpt-0").exists()
    assert (bundle.checkpoints / "ckpt-3" / "state.index").is_file()


def test_training_in_a_bundle_repeats_the_step_bit_for_bit(
    bundle, toy, once_broken_ring, tmp_path
):
    copy = shutil.copytree(bundle.path, tmp_path / "copy")
    train(toy(dataset=once_broken_ring()), copy, total_steps=9)
    _, repeated = read(copy / "failures" / bundle.path.name)
    assert [row["step"] for row in repeated] == [4, 5]
    assert repeated == read(bundle.path)[1][-2:]


def test_the_last_steps_alone_are_kept(tmp_path):
    recorder = FlightRecorder(seed=1, capacity=3)
    for first in (1, 3, 5):
        recorder.record(first, 0, {"loss": np.float32([first, np.inf])})
    directory = RunDirectory(tmp_path)
    recorder.write(directory, step=5, attempt=0, reason="a test")
    failure, steps = read(tmp_path / "failures" / "step-00000005-attempt-0")
    assert failure["checkpoint"] is None
    assert [(row["step"], row["loss"]) for row in steps] == [(4, "inf"), (5, 5.0)]


def test_a_collapse_stops_the_run_and_leaves_a_bundle(toy, tmp_path):
    def sample(step, monitor):
        if step == 4:
            raise CollapsedError("all alike")

    settings = {"total_steps": 9, "checkpoint_every": 2, "sample_every": 2}
    for _ in range(2):  # The second time, it is found before any step is taken.
        said = r"all alike; kept: step 2 \(the last that was sound\) \("
        with pytest.raises(CollapsedError, match=said):
            train(toy(), tmp_path, **settings, sample=sample)
    (path,) = (tmp_path / "failures").iterdir()
    failure, steps = read(path)
    assert (failure["step"], failure["checkpoint"]) == (4, 2)
    assert failure["reason"] == "all alike"
    assert [row["step"] for row in steps] == [1, 2, 3, 4]
    assert issubclass(CollapsedError, DivergedError)
