"""Saving, choosing and restoring; and what cannot be restored."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.training.checkpoints import Checkpoints, damage


def opened(directory, experiment, **settings) -> tuple[Checkpoints, tf.Variable]:
    step = tf.Variable(0, dtype=tf.int64)
    return Checkpoints(directory, experiment, step, **settings), step


def fill(experiment, value: float) -> None:
    """Sets all that an experiment holds to numbers that no other variable has."""
    holders = (experiment.generator, experiment.averaged_generator)
    holders += (experiment.discriminator, *experiment.optimizers.values())
    variables = [
        variable
        for holder in holders
        for variable in holder.variables
        if variable.name != "learning_rate"
    ]
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
    return shutil.copytree(directory, tmp_path / "checkpoints")


def test_everything_comes_back(saved, toy, state, same):
    directory, states = saved
    for which, number in (("latest", 10), ("5", 5), ("10", 10)):
        experiment = toy()
        checkpoints, step = opened(directory, experiment)
        assert checkpoints.steps() == [5, 10]
        assert checkpoints.restore(which) == number
        assert int(step) == number
        same(state(experiment), states[number])


OPTIMIZERS = ("Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "SGD")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_learning_rate_is_the_recipes_and_not_the_checkpoints(name, toy, tmp_path):
    """A step of the size of the new one, wherever a constant or a schedule changed."""
    constant = getattr(keras.optimizers, name)
    decayed = keras.optimizers.schedules.ExponentialDecay

    def rate(experiment) -> float:
        return float(experiment.optimizers["generator"].learning_rate)

    begun = toy(optimizer=lambda: constant(0.01))
    checkpoints, step = opened(tmp_path, begun)
    for optimizer in begun.optimizers.values():
        optimizer.iterations.assign(2)
    step.assign(2)
    checkpoints.save()
    for given, expected in (
        (lambda: 0.2, 0.2),
        (lambda: decayed(0.4, decay_steps=1, decay_rate=0.5), 0.1),
        (lambda: 0.3, 0.3),
    ):
        resumed = toy(optimizer=lambda given=given: constant(given()))
        checkpoints, step = opened(tmp_path, resumed)
        checkpoints.restore()
        np.testing.assert_allclose(rate(resumed), expected, rtol=1e-6)
        assert int(resumed.optimizers["generator"].iterations) == 2
        step.assign_add(1)
        checkpoints.save()  # And from a schedule back to a constant.


def test_an_optimizer_that_scales_losses_is_refused(toy):
    adam = keras.optimizers.Adam
    with pytest.raises(ConfigurationError, match="LossScaleOptimizer divides"):
        toy(optimizer=lambda: keras.optimizers.LossScaleOptimizer(adam(0.01)))


@pytest.mark.parametrize("name", ["a[1]", "b\\c", "[!a]", "q?*"])
def test_what_tensorflow_takes_for_wildcards(name, saved, toy, state, same, tmp_path):
    path = shutil.copytree(saved[0], tmp_path / name / "checkpoints")
    experiment = toy()
    checkpoints, _ = opened(path, experiment)
    warnings: list[str] = []
    assert checkpoints.restore(warn=warnings.append, repair=True) == 10
    assert not warnings
    same(state(experiment), saved[1][10])
    assert damage(checkpoints.files, 10) is None


def test_files_that_may_not_be_read_are_not_damaged(saved, toy, monkeypatch):
    def refuse(*_, **__):
        raise tf.errors.PermissionDeniedError(None, None, "state.index: no permission")

    monkeypatch.setattr(tf.train.Checkpoint, "read", refuse)
    checkpoints, _ = opened(saved[0], toy())
    with pytest.raises(ConfigurationError, match=r"ckpt-10 .* no permission"):
        checkpoints.restore(repair=True)
    assert checkpoints.steps() == [5, 10]


def test_the_newest_are_kept_over_a_resume_too(toy, tmp_path):
    for first in (1, 4):
        checkpoints, step = opened(tmp_path, toy(), max_to_keep=2)
        for number in range(first, first + 3):
            step.assign(number)
            checkpoints.save()
    assert checkpoints.steps() == [5, 6]
    assert len(list(tmp_path.iterdir())) == 2


def test_no_checkpoint_or_another_step(toy, saved, tmp_path):
    experiment = toy()
    with pytest.raises(ConfigurationError, match="no checkpoint: train first with bin"):
        opened(tmp_path / "none", experiment)[0].restore()
    for which in ("7", "-5", ""):
        with pytest.raises(
            ConfigurationError, match=r"'latest', 'best' or one of the .* 5, 10"
        ):
            opened(saved[0], experiment)[0].restore(which)
    with pytest.raises(ConfigurationError, match=r"which .* is the best: .*'latest'"):
        opened(saved[0], experiment)[0].restore("best")


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


def test_a_checkpoint_under_another_name_is_none(toy, copied, state, same, saved):
    (copied / "ckpt-10").rename(copied / f"ckpt-{10**15}")
    assert "that of step 10" in damage(CheckpointFiles(copied), 10**15)
    assert damage(CheckpointFiles(copied), 5) is None
    experiment = toy()
    checkpoints, step = opened(copied, experiment)
    assert checkpoints.restore(warn=lambda _: None, repair=True) == int(step) == 5
    same(state(experiment), saved[1][5])
    assert checkpoints.steps() == [5]


def contents(directory) -> dict:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("state.index", lambda data: data[:0]),
        ("state.index", lambda data: data[: len(data) // 2]),
        ("state.index", lambda data: data[:-1]),
        ("state.index", lambda data: data[::-1]),
        ("state.index", None),
        ("state.data-00000-of-00001", lambda data: data[:0]),
        ("state.data-00000-of-00001", lambda data: data[: len(data) // 2]),
        ("state.data-00000-of-00001", lambda data: bytes(len(data))),
        ("state.data-00000-of-00001", None),
        ("manifest.json", lambda data: data[:-9]),
        ("manifest.json", None),
    ],
)
def test_damaged_files(name, change, toy, copied, state, same, saved):
    path = copied / "ckpt-10" / name
    if change:
        path.write_bytes(change(path.read_bytes()))
    else:
        path.unlink()
    before = contents(copied)
    experiment = toy()
    assert damage(CheckpointFiles(copied), 10)
    with pytest.raises(BadDataError, match="step 10 is damaged") as caught:
        opened(copied, experiment)[0].restore("10")
    assert len(str(caught.value).splitlines()) == 1
    assert contents(copied) == before
    said = []
    assert opened(copied, experiment)[0].restore(warn=said.append) == 5
    same(state(experiment), saved[1][5])
    (line,) = said
    assert line.startswith("the checkpoint of step 10 is damaged: ")
    assert line.endswith("; going on from that of step 5")
    assert contents(copied) == before
    assert opened(copied, experiment)[0].restore(warn=said.append, repair=True) == 5
    assert f"its files are in {copied / 'set_aside'} now" in said[-1]
    assert opened(copied, experiment)[0].steps() == [5]
    assert (copied / "set_aside" / "ckpt-10").is_dir()


@pytest.mark.parametrize("repair", [False, True])
def test_where_none_is_whole_all_stay_in_place(repair, toy, copied):
    for step in (5, 10):
        (copied / f"ckpt-{step}" / "state.index").write_bytes(b"")
    before = contents(copied)
    with pytest.raises(
        BadDataError, match=r"step 10 is damaged: .* the 1 before .*--restart"
    ):
        opened(copied, toy())[0].restore(repair=repair)
    assert contents(copied) == before


def test_one_flipped_bit_is_found_or_changes_nothing(toy, copied, saved, state, same):
    """TensorFlow has a checksum of each tensor and of each block of the index."""
    rng = np.random.default_rng(0)
    checkpoints, _ = opened(copied, experiment := toy())
    found = 0
    for path in (copied / "ckpt-10").glob("state.*"):
        data = path.read_bytes()
        for position in rng.integers(0, len(data), 20):
            flipped = bytearray(data)
            flipped[position] ^= 1 << rng.integers(8)
            path.write_bytes(flipped)
            fill(experiment, 0)
            try:
                checkpoints.restore("10")
            except BadDataError as error:
                assert "step 10 is damaged" in str(error)  # noqa: PT017
                found += 1
            else:
                same(state(experiment), saved[1][10])
        path.write_bytes(data)
    assert found > 20


def test_what_is_left_to_do_at_a_step_is_remembered(toy, tmp_path):
    checkpoints, step = opened(tmp_path, toy())
    step.assign(4)
    checkpoints.save(hooks_pending=True)
    for pending in (True, False):
        resumed, _ = opened(tmp_path, toy())
        resumed.restore()
        assert resumed.hooks_pending == pending
        resumed.hooks_done()
        assert damage(resumed.files, 4) is None


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
