"""Runs that are killed, interrupted or diverge, and go on as if nothing had been."""

import shutil

import keras
import numpy as np
import pytest

from logan_tf.errors import (
    BadDataError,
    DivergedError,
    PreemptedError,
)


class KilledError(Exception):
    pass


def kill(step, monitor):
    if step:
        raise KilledError


@pytest.mark.parametrize(
    "build", [pytest.param("small_sngan", marks=pytest.mark.slow), "alternating_toy"]
)
def test_a_killed_and_resumed_run_is_the_uninterrupted_one(
    events, lines, trainer, build, request, state, same, tmp_path
):
    """Killed after step 5, resumed from step 3, which for the pictures is in the
    second epoch."""
    build = request.getfixturevalue(build)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    settings = {"total_steps": 6, "log_every": 1, "checkpoint_every": 3}
    expected = build()
    start = state(expected)
    trainer(expected, whole, **settings).train(progress=False)
    assert [line["step"] for line in lines(whole)] == [1, 2, 3, 4, 5, 6]
    unmoved = {
        name.rsplit("/")[-1]
        for name, value in state(expected).items()
        # A spectral-norm vector of one number has length 1 from the first step on.
        if np.array_equal(value, start[name]) and value.shape != (1,)
    }
    assert unmoved <= {"learning_rate", "standing_mean", "standing_variance"}

    killed = trainer(build(), cut, **settings, sample_every=5, sample=kill)
    with pytest.raises(KilledError):
        killed.train(progress=False)
    assert [line["step"] for line in lines(cut)] == [1, 2, 3, 4, 5]
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "discrim')
    resumed = trainer(build(), cut, **settings)
    assert resumed.step == 3
    resumed.train(progress=False)

    assert resumed.step == 6
    same(state(resumed._experiment), state(expected))
    assert lines(cut) == lines(whole)
    assert events(cut) == events(whole)
    assert {step for step, _ in events(cut)} == {1, 2, 3, 4, 5, 6}


def test_a_longer_run_resumed_has_the_lines_of_one_that_was_always_long(
    lines, trainer, toy, state, same, tmp_path
):
    """The last step of a shorter run has a line, which was not due."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    long, short = {"total_steps": 8}, {"total_steps": 4}
    expected = trainer(toy(), whole, **long, log_every=3)
    expected.train(progress=False)
    trainer(toy(), cut, **short, log_every=3).train(progress=False)
    assert [line["step"] for line in lines(cut)] == [3, 4]
    trainer(toy(), cut, **short, log_every=3).train(progress=False)
    assert [line["step"] for line in lines(cut)] == [3, 4]
    resumed = trainer(toy(), cut, **long, log_every=3)
    resumed.train(progress=False)
    assert [line["step"] for line in lines(cut)] == [3, 6, 8]
    assert lines(cut) == lines(whole)
    same(state(resumed._experiment), state(expected._experiment))


@pytest.mark.parametrize("saved", [[0], [0, 2, 4]])
def test_a_nan_stops_the_run_and_nothing_of_it_is_saved(
    lines, trainer, saved, toy, broken_ring, state, same, tmp_path, capsys
):
    dataset = broken_ring(first_broken=4 * 4 + 1)  # The second point of step 5.
    every = 2 if max(saved) else 100
    settings = {"log_every": 1, "checkpoint_every": every}
    made = trainer(toy(dataset=dataset), tmp_path, total_steps=9, **settings)
    with pytest.raises(DivergedError) as caught:
        made.train(progress=False)
    line = str(caught.value)
    assert line.startswith("step 5: ")
    assert "discriminator_loss" in line
    assert f"the checkpoint of step {max(saved)} is intact" in line
    assert len(line.splitlines()) == 1
    assert made.checkpoints.steps() == saved
    assert all(np.isfinite(v) for row in lines(tmp_path) for v in row.values())
    said = capsys.readouterr().out
    for rollback in (1, 2, 3):
        assert f"going back to step {max(saved)}: rollback {rollback} of 3" in said
    assert said.startswith("latent step: ")
    assert len(said.splitlines()) == 5  # That and tracing are said once.
    if max(saved):
        assert [row["step"] for row in lines(tmp_path)] == [1, 2, 3, 4]
        good = trainer(toy(), tmp_path / "good", total_steps=4, **settings)
        good.train(progress=False)
        restored = trainer(toy(dataset=dataset), tmp_path, total_steps=9, **settings)
        assert restored.step == 4
        same(state(restored._experiment), state(good._experiment))


def test_a_rollback_draws_other_randomness_and_is_remembered(
    events, lines, trainer, toy, once_broken_ring, state, same, tmp_path
):
    """Step 5 fails in attempt 0 alone. A run that is killed after the rollback, and
    one that is not, end the same."""
    settings = {"total_steps": 9, "log_every": 1, "checkpoint_every": 3}
    made = trainer(toy(dataset=once_broken_ring()), tmp_path / "a", **settings)
    made.train(progress=False)
    assert made.attempt == 1
    assert [(row["step"], row["attempt"]) for row in lines(tmp_path / "a")] == [
        (step, step > 3) for step in range(1, 10)
    ]
    assert made.checkpoints.files.manifest(9)["attempt"] == 1
    assert made.checkpoints.files.manifest(3)["attempt"] == 0
    (bundle,) = (tmp_path / "a" / "failures").iterdir()
    assert bundle.name == "step-00000005-attempt-0"
    never = trainer(toy(), tmp_path / "never", **settings)
    never.train(progress=False)
    calm, rolled = lines(tmp_path / "never"), lines(tmp_path / "a")
    assert rolled[:3] == calm[:3]
    for one, other in zip(rolled[3:], calm[3:], strict=True):
        assert one["discriminator_loss"] != other["discriminator_loss"]
    again = {"sample_every": 7, "sample": kill}
    killed = trainer(
        toy(dataset=once_broken_ring()), tmp_path / "b", **settings, **again
    )
    with pytest.raises(KilledError):
        killed.train(progress=False)
    resumed = trainer(toy(dataset=once_broken_ring()), tmp_path / "b", **settings)
    assert (resumed.step, resumed.attempt) == (6, 1)
    resumed.train(progress=False)
    assert lines(tmp_path / "b") == rolled
    assert events(tmp_path / "b") == events(tmp_path / "a")
    same(state(resumed._experiment), state(made._experiment))


def test_an_interrupted_run_saves_its_last_step_and_goes_on(
    events, lines, trainer, alternating_toy, state, same, tmp_path
):
    """Stopped after steps 1 and 4: at the second, a sample is due, which the resumed
    run draws; nothing is drawn or written twice."""
    settings = {"total_steps": 6, "log_every": 1, "checkpoint_every": 100}
    drawn: dict[str, list[int]] = {"whole": [], "cut": []}

    def sampled(name):
        def sample(step, monitor):
            drawn[name].append(step)
            monitor.evaluation(step, {"modes": step})

        return {"sample_every": 2, "sample": sample, **settings}

    whole = trainer(alternating_toy(), tmp_path / "whole", **sampled("whole"))
    whole.train(progress=False)
    for last in (1, 4):
        cut = trainer(alternating_toy(), tmp_path / "cut", **sampled("cut"))
        with pytest.raises(PreemptedError, match=f"all {last} steps are saved"):
            cut.train(progress=False, stop=lambda: cut.step >= last)  # noqa: B023
        assert cut.checkpoints.steps()[-1] == last
    resumed = trainer(alternating_toy(), tmp_path / "cut", **sampled("cut"))
    assert resumed.step == 4
    resumed.train(progress=False)
    assert drawn == {"whole": [0, 2, 4, 6], "cut": [0, 2, 4, 6]}
    same(state(resumed._experiment), state(whole._experiment))
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")
    assert events(tmp_path / "cut") == events(tmp_path / "whole")


def test_what_a_hook_had_written_when_it_was_killed_is_written_once(
    events, trainer, toy, tmp_path
):
    settings = {"total_steps": 4, "checkpoint_every": 2, "sample_every": 2}
    kills = [True]

    def sample(step, monitor):
        monitor.evaluation(step, {"modes": step})
        if step == 2 and kills:
            monitor.flush()
            kills.pop()
            raise KilledError

    with pytest.raises(KilledError):
        trainer(toy(), tmp_path, **settings, sample=sample).train(progress=False)
    assert (2, "evaluation/modes") in events(tmp_path)
    trainer(toy(), tmp_path, **settings, sample=sample).train(progress=False)
    drawn = [step for step, tag in events(tmp_path) if tag == "evaluation/modes"]
    assert drawn == [0, 2, 4]


def test_a_stop_after_all_is_done_is_no_interruption(trainer, toy, tmp_path):
    made = trainer(toy(), tmp_path, total_steps=2)
    made.train(progress=False, stop=lambda: made.step == 2)
    assert made.checkpoints.steps() == [0, 2]


def test_a_run_that_lost_its_checkpoints_does_not_start_anew(
    lines, trainer, toy, tmp_path
):
    trainer(toy(), tmp_path, total_steps=2, log_every=1).train(progress=False)
    shutil.rmtree(tmp_path / "checkpoints")
    before = lines(tmp_path)
    with pytest.raises(BadDataError, match=r"checkpoints are gone.*--restart"):
        trainer(toy(), tmp_path, total_steps=2)
    assert lines(tmp_path) == before


def test_an_infinite_learning_rate_is_caught_in_its_first_step(trainer, toy, tmp_path):
    experiment = toy(optimizer=lambda: keras.optimizers.SGD(float("inf")))
    made = trainer(experiment, tmp_path, total_steps=3, checkpoint_every=1)
    with pytest.raises(DivergedError, match=r"step 1: .*update_norm"):
        made.train(progress=False)
    assert made.checkpoints.steps() == [0]
