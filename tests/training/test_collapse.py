"""The best and the last sound checkpoint over a run's life, and runs that collapse.

Evaluations are played: the numbers come from a table, the checkpoints are real.
"""

import json

import pytest

from logan_tf.errors import CollapsedError
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.collapse import Best, Quality

SETTINGS = {"total_steps": 9, "log_every": 1, "checkpoint_every": 1}


class Played:
    """Evaluates by a table; counts how often it was asked."""

    def __init__(self, values: dict[int, float]) -> None:
        self.values = values
        self.asked: list[int] = []

    def __call__(self, step, monitor):
        self.asked.append(step)
        return Quality("fid", self.values[step])


@pytest.fixture
def run(trainer, toy, tmp_path):
    """(table, **settings) → the trainer of this test's run after training."""

    def start(values=None, **settings):
        played = Played(values) if values else None
        every = {"evaluate_every": 3, "evaluate": played} if values else {}
        made = trainer(toy(), tmp_path, **SETTINGS | every | settings)
        made.played = played
        made.train(progress=False)
        return made

    return start


def files(tmp_path) -> CheckpointFiles:
    return CheckpointFiles(tmp_path / "checkpoints")


def test_the_best_outlives_the_newest_and_a_resume(run, lines, tmp_path):
    made = run({0: 400, 3: 90, 6: 120}, total_steps=6)
    assert made.checkpoints.best == Best(3, "fid", 90)
    made = run({9: 110})
    assert made.played.asked == [9]
    assert files(tmp_path).steps() == [3, 6, 7, 8, 9]
    assert files(tmp_path).best() == Best(3, "fid", 90)
    assert files(tmp_path).choose("best") == [3]
    assert made.checkpoints.restore("best") == 3
    found = {line["step"]: line.get("best_fid") for line in lines(tmp_path)}
    assert (found[3], found[4], found[6], found[9]) == (400, 90, 90, 90)
    assert [line["best_step"] for line in lines(tmp_path)] == [0] * 3 + [3] * 6
    # Another one takes its place, and its files go with those of the newest.
    better = run({12: 5, 13: 7}, total_steps=13)
    assert better.checkpoints.best == Best(12, "fid", 5)
    assert files(tmp_path).steps() == [3, 11, 12, 13]


def test_who_goes_back_finds_the_best_of_then(run, trainer, toy, tmp_path, capsys):
    """The newest two, one of them the best, are damaged."""
    run({0: 400, 3: 90, 6: 120, 9: 60})
    for step in (8, 9):
        (tmp_path / "checkpoints" / f"ckpt-{step}" / "state.index").write_bytes(b"")
    made = trainer(toy(), tmp_path, **SETTINGS)
    assert made.step == 7
    assert made.checkpoints.best == Best(3, "fid", 90)
    assert files(tmp_path).choose("best") == [3]
    capsys.readouterr()


def test_an_evaluation_is_of_a_checkpoint_wherever_these_are(run, tmp_path):
    made = run({0: 400, 3: 90, 6: 80, 9: 85}, checkpoint_every=100)
    assert files(tmp_path).steps() == [3, 6, 9]
    assert made.checkpoints.best == Best(6, "fid", 80)


def test_a_collapse_keeps_the_best_and_what_was_sound(run, tmp_path):
    table = {0: 400, 3: 90, 6: 120, 9: 300}
    with pytest.raises(CollapsedError) as caught:
        run(table)
    line = str(caught.value)
    assert line.startswith("step 9: fid is 300, more than 3 times the best, 90 at step")
    assert "kept: step 6 (the last that was sound), 3 (the best, fid 90)" in line
    assert files(tmp_path).steps() == [3, 6, 7, 8, 9]
    failure = tmp_path / "failures" / "step-00000009-attempt-0" / "failure.json"
    assert json.loads(failure.read_text())["checkpoint"] == 8
    # The same command says the same, before it takes a step.
    with pytest.raises(CollapsedError, match=r"step 9: .* kept: step 6 .*, 3"):
        run(table | {9: 301}, total_steps=12)
    assert files(tmp_path).steps() == [3, 6, 7, 8, 9]
    made = run({9: 300, 12: 310}, total_steps=12, collapse_factor=0)
    assert (made.step, made.played.asked) == (12, [9, 12])
    assert made.checkpoints.best == Best(3, "fid", 90)


def test_what_an_interruption_left_to_evaluate_decides_too(run, tmp_path):
    """Killed during an evaluation: the one after the resume is the first of its step"""

    class KilledError(Exception):
        pass

    def die(step, monitor):
        if step == 6:
            raise KilledError
        return Quality("fid", {0: 400, 3: 90}[step])

    with pytest.raises(KilledError):
        run(evaluate=die, evaluate_every=3)
    assert files(tmp_path).best() == Best(3, "fid", 90)
    made = run({6: 70, 9: 75})
    assert made.played.asked == [6, 9]
    assert made.checkpoints.best == Best(6, "fid", 70)


def test_samples_without_variance_between_checkpoints(run, tmp_path):
    """The collapsed state is saved, so that a resume finds it at once."""

    def sample(step, monitor):
        if step == 8:
            raise CollapsedError("step 8: all alike")

    settings = {"checkpoint_every": 3, "sample_every": 4, "sample": sample}
    for _ in range(2):
        with pytest.raises(CollapsedError, match=r"kept: step 3 \(the last"):
            run(**settings)
        assert files(tmp_path).steps() == [3, 6, 8]
