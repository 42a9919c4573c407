"""Runs of a committed results.json count as done: a study made in parts."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from logan_tf.errors import BadDataError
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies import arms, presets
from logan_tf.studies.results import ArmRun


@pytest.fixture
def commit(tmp_path):
    """Puts a study's results where they are committed, and forgets its runs."""

    def move(study: str = "small"):
        folder = tmp_path / "committed" / study
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("results.json", "table.md"):
            shutil.copy(tmp_path / study / name, folder)
        shutil.rmtree(tmp_path / study)
        return folder

    return move


@pytest.fixture
def later(runner, tmp_path):
    """(study, settings) → a runner that sees what is committed."""

    def make(study, **settings):
        return runner(study, committed=tmp_path / "committed", **settings)

    return make


def begun(tmp_path) -> list[str]:
    return sorted(path.parent.name for path in (tmp_path / "small").glob("*/starts"))


def test_nothing_is_trained_twice_and_the_table_is_the_same(
    two_arms, runner, later, commit, tmp_path
):
    asked = dataclasses.replace(two_arms, asked=(SamplingSettings(latent_steps=1),))
    runner(asked).run()
    folder = commit()
    results = later(asked).run()
    assert begun(tmp_path) == []
    for name in ("table.md", "results.json"):
        found = (tmp_path / "small" / name).read_bytes()
        assert found == (folder / name).read_bytes()
    assert [run.seed for run in results.of("b")] == [0, 1]


def test_the_rest_is_trained_and_joins(two_arms, runner, later, commit, tmp_path):
    """One arm here, the other there, and a third seed of one."""
    runner(two_arms, only=("a",)).run()
    commit()
    later(two_arms, only=("b",)).run()
    assert begun(tmp_path) == ["b-seed0", "b-seed1"]
    commit()
    later(two_arms, only=("b",), seeds=3).run()
    assert begun(tmp_path) == ["b-seed2"]
    contents = json.loads((tmp_path / "small" / "results.json").read_text())
    found = [(run["arm"]["name"], run["seed"]) for run in contents["runs"]]
    assert sorted(found) == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)]


@pytest.mark.parametrize(
    "change",
    [
        {"steps": {"embedded": (3, 6)}},
        {"pictures": (SamplingSettings(),)},
        {"asked": (SamplingSettings(latent_steps=2),)},
        {"local_approximation": True},
    ],
)
def test_what_is_not_all_of_it_is_trained(
    change, two_arms, runner, later, commit, tmp_path
):
    runner(two_arms).run()
    commit()
    later(dataclasses.replace(two_arms, **change)).run()
    wanted = ["a-seed0", "a-seed1", "b-seed0", "b-seed1"]
    assert begun(tmp_path) == [
        name for name in wanted if "pictures" not in change or name.endswith("0")
    ]


def test_an_interrupted_run_is_not_done(two_arms, runner, later, commit, tmp_path):
    runner(two_arms).run()
    folder = commit()
    contents = json.loads((folder / "results.json").read_text())
    del contents["runs"][0]["outcome"]["exit_code"]
    del contents["runs"][1]["training"]  # As earlier versions wrote it.
    (folder / "results.json").write_text(json.dumps(contents))
    later(two_arms).run()
    assert begun(tmp_path) == ["a-seed0", "a-seed1"]


def test_where_data_lie_is_no_part_of_a_run(two_arms, runner, later, commit, tmp_path):
    runner(two_arms, data_dir="/somewhere").run()
    output = json.loads((tmp_path / "small" / "a-seed0" / "outcome.json").read_text())
    assert "somewhere" not in str(output)
    commit()
    later(two_arms, data_dir="/elsewhere").run()
    assert begun(tmp_path) == []


def test_as_it_is_nothing_is_trained(two_arms, runner, tmp_path):
    runner(two_arms, only=("b",), seeds=1).run()
    results = runner(two_arms, as_is=True).run()
    assert begun(tmp_path) == ["b-seed0"]
    assert [(run.arm.name, run.seed) for run in results.runs if run.metrics] == [
        ("b", 0)
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        *("{", "[]", "null"),
        *({"training": 1}, {"endings": {"delta_z_norm": "1"}}, {"outcome": {}}),
        *({"evaluations": [{}]}, {"seconds_per_step": "1"}),
    ],
)
def test_a_garbled_file_is_one_line(wrong, two_arms, runner, later, commit):
    runner(two_arms, only=("a",), seeds=1).run()
    path = commit() / "results.json"
    if isinstance(wrong, dict):
        contents = json.loads(path.read_text())
        contents["runs"][0] |= wrong
        wrong = json.dumps(contents)
    path.write_text(wrong)
    with pytest.raises(BadDataError, match=r"results.json cannot be read .*anew"):
        later(two_arms).run()


def test_equal_time_is_that_of_the_committed_runs(
    two_arms, runner, later, commit, tmp_path
):
    slow = dataclasses.replace(two_arms.arms[0], params=("speed = 100",))
    then = arms.at_wall_clock_of("a", "b")
    study = dataclasses.replace(two_arms, arms=(slow, two_arms.arms[1]), then=then)
    first = runner(study, seeds=1).run()
    folder = commit()
    contents = json.loads((folder / "results.json").read_text())
    contents["runs"][1]["seconds_per_step"] *= 3  # Measured on another machine.
    (folder / "results.json").write_text(json.dumps(contents))
    again = later(study, seeds=1).run()
    assert begun(tmp_path) == []
    assert [arm.steps for arm in again.arms] == [arm.steps for arm in first.arms]


def test_curves_of_both_kinds_have_the_same_steps(
    two_arms, runner, later, commit, tmp_path, monkeypatch
):
    """Of a run here every line is known, of a committed one twentieths."""
    study = dataclasses.replace(
        two_arms,
        steps={"embedded": (50, 100)},
        figures={"steps": presets.traces("delta_z_norm")},
    )
    runner(study, seeds=1).run()
    whole = ArmRun(study.arms[0], 0, tmp_path / "small" / "a-seed0").metrics
    commit()
    drawn = []
    monkeypatch.setattr(
        "logan_tf.studies.panels.band",
        lambda _, x, found, *__, **___: drawn.append((x, found)),
    )
    later(study).run()
    assert begun(tmp_path) == ["a-seed1", "b-seed1"]
    (steps, found), _ = drawn
    assert len(steps) == 20
    assert all(len(each) == 2 for each in found)
    np.testing.assert_allclose(steps[[0, -1]], [3, 98])
    expected = whole["delta_z_norm"].reshape(20, 5).mean(axis=1)
    np.testing.assert_allclose([each[0] for each in found], expected, rtol=1e-5)
