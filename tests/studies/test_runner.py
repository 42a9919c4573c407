"""Running a study: in parallel, from where it was left, whatever becomes of a run."""

import dataclasses
import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from logan_tf.cli.running.interruption import Interruption
from logan_tf.errors import BadDataError, ConfigurationError, PreemptedError
from logan_tf.runs import jobs, run_lock
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies import arms
from logan_tf.studies.study import EMBEDDED, PAPER, SIZE


def starts(folder) -> dict[str, list[str]]:
    """Run → the commands that were started for it."""
    return {
        path.parent.name: [line.split()[0] for line in path.read_text().splitlines()]
        for path in folder.glob("*/starts")
    }


def with_params(study, *params: str):
    """The second arm's."""
    changed = dataclasses.replace(study.arms[1], params=params)
    return dataclasses.replace(study, arms=(study.arms[0], changed))


def test_every_arm_and_seed_once(two_arms, runner, tmp_path):
    asked = dataclasses.replace(two_arms, asked=(SamplingSettings(latent_steps=1),))
    results = runner(asked).run()
    names = [f"{arm}-seed{seed}" for arm in "ab" for seed in (0, 1)]
    expected = {name: ["train", "evaluate"] for name in names}
    assert starts(tmp_path / "small") == expected
    table = (tmp_path / "small" / "table.md").read_bytes()
    assert [run.evaluations[-1].receipt.checkpoint_step for run in results.runs] == [
        4
    ] * 4
    runner(asked).run()
    assert starts(tmp_path / "small") == expected
    assert (tmp_path / "small" / "table.md").read_bytes() == table
    # More seeds leave the others as they are.
    runner(asked, seeds=3).run()
    assert len(starts(tmp_path / "small")["b-seed2"]) == 2
    assert len(starts(tmp_path / "small")["b-seed1"]) == 2


def test_a_command_is_bin_trains_with_its_share_of_the_cores(
    two_arms, runner, tmp_path
):
    study = runner(with_params(two_arms, "x = 1"), params=("y = 2",))
    study.run()
    outcome = json.loads((tmp_path / "small" / "b-seed1" / "outcome.json").read_text())
    params = [
        *SIZE[EMBEDDED],
        *("x = 1", "y = 2", "seed = 1", "total_steps = 4", "evaluate_every = 2"),
    ]
    assert outcome["flags"] == [
        "--gin_file=ring_baseline",
        *(f"--gin_param={each}" for each in params),
    ]
    share = max(1, jobs.num_cores() // 2)
    line = (tmp_path / "small" / "b-seed1" / "starts").read_text()
    assert line == f"train with {share} threads\n"


def test_what_a_classifier_learns_is_asked_once(two_arms, runner, tmp_path):
    """Beside what it learns from real images, of the first run alone."""
    learned = dataclasses.replace(two_arms, accuracy={EMBEDDED: "accuracy.gin"})
    runner(learned).run()
    results = runner(learned).run()
    assert starts(tmp_path / "small")["a-seed1"] == ["train", "evaluate"]
    page = (tmp_path / "small" / "table.md").read_text("utf-8")
    found = [run.accuracy().metrics["top_1"]["value"] for run in results.of("b")]
    assert f"| B | {sum(found) / 2:.4g} ± " in page.split("learned from samples:")[1]
    assert page.count("| real images | 0.98 | 1 |") == 1
    # The protocol's own evaluation of the same step is another file.
    assert "modes" in results.of("b")[0].at(4).metrics
    real = [run.path.name for run in results.runs if run.accuracy(of_real=True)]
    assert real == ["a-seed0"]


def test_after_a_signal_the_same_command_goes_on(two_arms, runner, tmp_path):
    slow = dataclasses.replace(
        with_params(two_arms, "pace = 0.02"), steps={EMBEDDED: (30, 60)}
    )
    folder = tmp_path / "small"

    def interrupt() -> None:
        while not (folder / "b-seed0" / "metrics.jsonl").is_file():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    with Interruption() as interruption, interruption.finishing():
        threading.Thread(target=interrupt).start()
        with pytest.raises(PreemptedError, match="same command"):
            runner(slow, lambda: interruption.requested).run()
    done = len((folder / "b-seed0" / "metrics.jsonl").read_text().splitlines())
    assert 0 < done < 60
    finished = [
        path.parent.name
        for path in folder.glob("*/outcome.json")
        if "exit_code" in path.read_text()
    ]
    begun = starts(folder)
    runner(slow).run()
    for name, commands in starts(folder).items():
        again = name in begun and name not in finished
        assert commands == ["train"] * (1 + again), name
    steps = [
        json.loads(line)["step"]
        for line in (folder / "b-seed0" / "metrics.jsonl").read_text().splitlines()
    ]
    assert steps == list(range(1, 61))


def test_a_collapse_is_a_result(two_arms, runner, tmp_path):
    collapsing = with_params(two_arms, "ends = 4")
    runner(collapsing).run()
    table = (tmp_path / "small" / "table.md").read_text("utf-8")
    assert "2 of 2" in table
    assert "b-seed0: error: step 2: the samples do not differ" in table
    runner(collapsing).run()
    assert starts(tmp_path / "small")["b-seed0"] == ["train"]


def test_a_mistake_of_the_users_ends_all(two_arms, runner, tmp_path):
    slow = dataclasses.replace(two_arms.arms[0], params=("pace = 0.5",))
    mistaken = with_params(two_arms, "ends = 2")
    mistaken = dataclasses.replace(
        mistaken, arms=(slow, mistaken.arms[1]), steps={EMBEDDED: (100,)}
    )
    with pytest.raises(ConfigurationError, match=r"b-seed0: there is no gin file 'x'"):
        runner(mistaken).run()
    # The other may be ended before it has said that it started.
    assert {"b-seed0"} <= set(starts(tmp_path / "small")) <= {"a-seed0", "b-seed0"}
    metrics = tmp_path / "small" / "a-seed0" / "metrics.jsonl"
    assert not metrics.is_file() or len(metrics.read_text().splitlines()) < 100
    assert "exit_code" not in (metrics.parent / "outcome.json").read_text()
    mended = dataclasses.replace(mistaken, arms=(slow, two_arms.arms[1]))
    runner(mended, only=("b",)).run()


def test_a_failure_leaves_the_others_be_and_is_tried_again(two_arms, runner, tmp_path):
    failing = with_params(two_arms, "ends = 3")
    with pytest.raises(BadDataError, match=r"2 failed.*exit 3.*b-seed[01]/output.log"):
        runner(failing).run()
    assert (tmp_path / "small" / "table.md").is_file()
    runner(failing).run()  # It resumes after step 2.
    assert starts(tmp_path / "small")["b-seed1"] == ["train", "train"]
    assert starts(tmp_path / "small")["a-seed1"] == ["train"]


def test_runs_of_other_settings_are_refused(two_arms, runner):
    runner(two_arms).run()
    with pytest.raises(ConfigurationError, match=r"trained otherwise .*new = 1"):
        runner(with_params(two_arms, "new = 1")).run()


def test_only_the_arms_that_are_named(two_arms, runner, tmp_path):
    runner(two_arms, only=("b",)).run()
    assert sorted(starts(tmp_path / "small")) == ["b-seed0", "b-seed1"]
    with pytest.raises(ConfigurationError, match=r"no arm 'c'; it has a, b"):
        runner(two_arms, only=("c",)).run()


def test_an_arm_without_a_recipe_is_refused(two_arms, runner):
    with pytest.raises(ConfigurationError, match="no recipe for a at the scale paper"):
        runner(dataclasses.replace(two_arms, steps={PAPER: (2,)}), scale=PAPER).run()


def test_a_run_that_somebody_else_trains_is_waited_for(two_arms, runner, tmp_path):
    directory = tmp_path / "small" / "a-seed0"
    directory.mkdir(parents=True)
    seen = []

    def release() -> bool:
        others = starts(tmp_path / "small")
        if len(others) == 3 and not seen:
            seen.append("a-seed0" in others)
            lock.__exit__(None, None, None)
        return False

    lock = run_lock.held(directory)
    lock.__enter__()
    runner(two_arms, release).run()
    assert seen == [False]
    assert starts(tmp_path / "small")["a-seed0"] == ["train"]


def test_the_baseline_is_given_logans_time(two_arms, runner, tmp_path):
    slow = dataclasses.replace(two_arms.arms[0], params=("speed = 100",))
    quick = dataclasses.replace(two_arms.arms[1], params=("speed = 250",))
    study = dataclasses.replace(
        two_arms, arms=(slow, quick), then=arms.at_wall_clock_of("a", "b")
    )
    results = runner(study).run()
    (longer,) = [arm for arm in results.arms if arm.name == "b_a_time"]
    speeds = [
        np.median([run.images_per_second for run in results.of(name)]) for name in "ba"
    ]
    assert speeds[0] / speeds[1] == pytest.approx(2.5, rel=0.15)
    first = round(2 * speeds[0] / speeds[1])
    assert longer.steps == (first, 2 * first)
    assert results.of("b_a_time")[1].at(longer.steps[1]) is not None
    assert "B, in the time of A" in (tmp_path / "small" / "table.md").read_text("utf-8")


def test_a_run_disturbed_by_other_work_does_not_set_the_time(two_arms, imitated):
    results = imitated(dataclasses.replace(two_arms, seeds=3))
    for run, speed in zip(
        results.runs, (50, 1000, 1000, 1500, 2000, 2500), strict=True
    ):
        run.metrics["images_per_second"][:] = speed
    (longer,) = arms.at_wall_clock_of("a", "b")(results, results.study)
    assert longer.steps == (40, 80, 120)


def test_the_last_total_steps_is_the_one_that_counts(two_arms, imitated):
    run = imitated(two_arms).runs[0]
    assert run.told_steps is None
    flags = [f"--gin_param=total_steps = {steps}" for steps in (5, 60)]
    run.outcome.update(flags=flags)
    assert run.told_steps == 60


def test_equal_time_stays_as_it_was_measured_first(two_arms, runner):
    then = arms.at_wall_clock_of("a", "b")
    slow = dataclasses.replace(two_arms.arms[0], params=("speed = 100",))
    study = dataclasses.replace(two_arms, arms=(slow, two_arms.arms[1]), then=then)
    first = runner(study, seeds=1).run()
    slower = first.of("b")[0].path / "metrics.jsonl"
    slower.write_text(
        slower.read_text().replace('"images_per_second": ', '"images_per_second": 1')
    )
    again = runner(study).run()
    assert len(again.of("b_a_time")) == 2
    assert [arm.steps for arm in again.arms] == [arm.steps for arm in first.arms]
