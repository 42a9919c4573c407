"""Saving, choosing and restoring; and what cannot be restored."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.training.checkpoints import Checkpoints


def opened(directory, experiment, **settings) -> tuple[Checkpoints, tf.Variable]:
    step = tf.Variable(0, dtype=tf.int64)
    return Checkpoints(directory, experiment, step, **settings), step


def fill(experiment, value: float) -> None:
    """Sets all that an experiment holds to numbers that no other variable has."""
    holders = (experiment.generator, experiment.averaged_generator)
    holders += (experiment.discriminator, *experiment.optimizers.values())
    variables = [variable for holder in holders for variable in holder.variables]
    for index, variable in enumerate(variables):
        full = np.full(variable.shape, value + index)
        variable.assign(full.astype(keras.backend.standardize_dtype(variable.dtype)))


@pytest.fixture(scope="module")
def saved(toy, state, tmp_path_factory):
    """Checkpoints of the steps 5 and 10, with the state of each."""
    directory, experiment = tmp_path_factory.mktemp("run") / "checkpoints", toy()
    checkpoints, step = opened(directory, experiment)
    states = {}
    for number in (5, 10):
        fill(experiment, number)
        step.assign(number)
        checkpoints.save()
        states[number] = state(experiment)
    return directory, states


@pytest.fixture
def copied(saved, tmp_path):
    """A copy of these to damage."""
    directory, _ = saved
    copy = tmp_path / "checkpoints"
    copy.mkdir()
    for path in directory.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def test_everything_comes_back(saved, toy, state, same):
    directory, states = saved
    for which, number in (("latest", 10), ("5", 5), ("10", 10)):
        experiment = toy()
        checkpoints, step = opened(directory, experiment)
        assert checkpoints.steps() == [5, 10]
        assert checkpoints.restore(which) == number
        assert int(step) == number
        same(state(experiment), states[number])


def test_the_newest_are_kept_over_a_resume_too(toy, tmp_path):
    for first in (1, 4):
        checkpoints, step = opened(tmp_path, toy(), max_to_keep=2)
        for number in range(first, first + 3):
            step.assign(number)
            checkpoints.save()
    assert checkpoints.steps() == [5, 6]
    assert len(list(tmp_path.glob("ckpt-*"))) == 4


def test_no_checkpoint_or_another_step(toy, saved, tmp_path):
    experiment = toy()
    with pytest.raises(ConfigurationError, match="no checkpoint: train first with bin"):
        opened(tmp_path / "none", experiment)[0].restore()
    for which in ("7", "best", "-5", ""):
        with pytest.raises(
            ConfigurationError, match=r"'latest' or one of the .* 5, 10"
        ):
            opened(saved[0], experiment)[0].restore(which)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 9},
        {"optimizer": lambda: keras.optimizers.SGD(0.01)},
        {"optimizer": lambda: keras.optimizers.Adam(0.01, amsgrad=True)},
    ],
    ids=["wider", "fewer variables", "more variables"],
)
def test_other_networks_or_optimizers(changes, toy, saved):
    with pytest.raises(ConfigurationError) as caught:
        opened(saved[0], toy(**changes))[0].restore()
    assert "--restart" in str(caught.value)
    assert "ckpt-10" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        ("index", lambda data: data[:0]),
        ("index", lambda data: data[: len(data) // 2]),
        ("index", lambda data: data[:-1]),
        ("index", lambda data: data[::-1]),
        ("data-00000-of-00001", lambda data: data[:0]),
        ("data-00000-of-00001", lambda data: data[: len(data) // 2]),
        ("data-00000-of-00001", lambda data: bytes(len(data))),
        ("data-00000-of-00001", None),
    ],
)
def test_damaged_files(suffix, damage, toy, copied, state, same, saved):
    path = copied / f"ckpt-10.{suffix}"
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    experiment = toy()
    with pytest.raises(BadDataError) as caught:
        opened(copied, experiment)[0].restore()
    assert "remove its files" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    for file in copied.glob("ckpt-10.*"):  # The remedy.
        file.unlink()
    assert opened(copied, experiment)[0].restore() == 5
    same(state(experiment), saved[1][5])


def test_a_checkpoint_that_cannot_be_written(toy, copied, monkeypatch):
    experiment = toy()
    checkpoints, step = opened(copied, experiment)
    step.assign(11)

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left\non device")

    monkeypatch.setattr(tf.train.Checkpoint, "write", full)
    monkeypatch.setattr(tf.train.Checkpoint, "_write", full)
    with pytest.raises(BadDataError, match=r"No space left.*older checkpoints are"):
        checkpoints.save()
    assert opened(copied, experiment)[0].restore() == 10


def test_a_folder_that_cannot_be_made(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadDataError, match="make room there"):
        opened(tmp_path / "file" / "checkpoints", toy())[0].save()
