"""Bundles of failures, and repeating the step that one is about."""

import json

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import BadDataError, CollapsedError, DivergedError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.flight_recorder import FlightRecorder, read_bundle
from logan_tf.training.replay import replay
from logan_tf.training.trainer import Trainer

STRATEGY = tf.distribute.get_strategy()


def train(experiment, path, **settings) -> None:
    directory = RunDirectory(path)
    directory.path.mkdir(exist_ok=True)
    directory.config.write_text("seed = 3\n")
    made = Trainer(experiment, STRATEGY, directory, **settings)
    made.restore()
    made.train(progress=False)


@pytest.fixture(scope="module")
def bundle(toy, once_broken_ring, tmp_path_factory) -> RunDirectory:
    """Of step 5, whose data is NaN, in a run with checkpoints at 0, 3, 6, 9."""
    path = tmp_path_factory.mktemp("run")
    train(toy(dataset=once_broken_ring()), path, total_steps=9, checkpoint_every=3)
    return RunDirectory(path / "failures" / "step-00000005-attempt-0")


def test_what_a_bundle_holds(bundle):
    failure, steps = read_bundle(bundle)
    assert (failure["step"], failure["attempt"], failure["seed"]) == (5, 0, 3)
    assert failure["checkpoint"] == 3
    assert "discriminator_loss" in failure["reason"]
    assert failure["versions"]["tensorflow"] == tf.__version__
    assert [row["step"] for row in steps] == [1, 2, 3, 4, 5]
    wanted = {"seed", "attempt", "discriminator_loss", "generator_loss"}
    wanted |= {"discriminator_gradient_norm", "discriminator_sigma", "delta_z_norm"}
    assert all(wanted <= set(row) for row in steps)
    assert steps[-1]["discriminator_loss"] == "nan"
    assert all(np.isfinite(row["discriminator_loss"]) for row in steps[:-1])
    assert bundle.config.read_text() == "seed = 3\n"
    # The checkpoint outlives the run's own, which was removed after step 9.
    assert not (bundle.path.parents[1] / "checkpoints" / "ckpt-0.index").exists()
    assert (bundle.checkpoints / "ckpt-3.index").is_file()


def test_a_replay_repeats_the_step_bit_for_bit(bundle, toy, once_broken_ring):
    done = []
    repeated = replay(
        toy(dataset=once_broken_ring()),
        bundle,
        lambda *progress: done.append(progress),
    )
    assert done == [(1, 2), (2, 2)]
    assert repeated.step == 5
    assert repeated.recorded["discriminator_loss"] == "nan"
    assert repeated.differences() == []
    assert len(repeated.repeated) > 10
    assert any(name.startswith("discriminator/") for name in repeated.not_finite)
    assert not any(name.startswith("generator/") for name in repeated.not_finite)


def test_a_replay_of_another_experiment_differs(bundle, toy):
    repeated = replay(toy(), bundle)
    assert "discriminator_loss" in repeated.differences()
    assert "delta_z_norm" not in repeated.differences()
    assert repeated.not_finite == {}


def test_the_last_steps_alone_are_kept(tmp_path):
    recorder = FlightRecorder(seed=1, capacity=3)
    for first in (1, 3, 5):
        recorder.record(first, 0, {"loss": np.float32([first, np.inf])})
    directory = RunDirectory(tmp_path)
    written = recorder.write(directory, step=5, attempt=0, reason="a test")
    assert written.path == tmp_path / "failures" / "step-00000005-attempt-0"
    failure, steps = read_bundle(written)
    assert failure["checkpoint"] is None
    assert [(row["step"], row["loss"]) for row in steps] == [(4, "inf"), (5, 5.0)]


def test_a_collapse_stops_the_run_and_leaves_a_bundle(toy, tmp_path):
    def sample(step, monitor):
        if step == 4:
            raise CollapsedError("all alike")

    settings = {"total_steps": 9, "checkpoint_every": 2, "sample_every": 2}
    for _ in range(2):  # The second time, it is found before any step is taken.
        said = (
            r"all alike; kept: step 2 \(the last that was sound\) \(bin/doctor --replay"
        )
        with pytest.raises(CollapsedError, match=said):
            train(toy(), tmp_path, **settings, sample=sample)
    (path,) = (tmp_path / "failures").iterdir()
    failure, steps = read_bundle(RunDirectory(path))
    assert (failure["step"], failure["checkpoint"]) == (4, 2)
    assert failure["reason"] == "all alike"
    assert [row["step"] for row in steps] == [1, 2, 3, 4]
    assert issubclass(CollapsedError, DivergedError)


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"step": 1, "attempt": 0}', "\x00"]
)
def test_what_is_no_bundle(content, toy, tmp_path):
    if content is not None:
        (tmp_path / "failure.json").write_text(content)
        (tmp_path / "steps.jsonl").write_text("")
    with pytest.raises(BadDataError, match="is no bundle of the flight recorder"):
        replay(toy(), RunDirectory(tmp_path))


def test_a_bundle_without_a_checkpoint_cannot_be_replayed(toy, tmp_path):
    recorder = FlightRecorder(seed=1)
    recorder.record(1, 0, {"loss": np.float32([1])})
    written = recorder.write(RunDirectory(tmp_path), step=1, attempt=0, reason="")
    with pytest.raises(BadDataError, match="nothing to repeat the step from"):
        replay(toy(), written)
    assert json.loads((written.path / "failure.json").read_text())["step"] == 1
