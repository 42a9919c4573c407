"""When hooks are due, and in which order they are called."""

import pytest

from logan_tf.errors import ConfigurationError
from logan_tf.runs.collapse import Quality
from logan_tf.training.hooks import Hooks

PERIODS = {"sample": 4, "spectrum": 6, "evaluate": 0}


def hooks(called, periods=PERIODS, total_steps=13):
    def record(name):
        def call(step, monitor):
            called.append((name, step))
            return Quality("fid", 1.0)

        return call

    return Hooks(
        total_steps,
        periods["sample"],
        periods["evaluate"],
        record("sample"),
        record("evaluate"),
        periods["spectrum"],
        record("spectrum"),
    )


def test_each_at_its_own_period_and_all_at_the_end():
    called = []
    found = hooks(called)
    for step in range(14):
        assert found.are_due(step) == (step % 4 == 0 or step % 6 == 0 or step == 13)
        if found.are_due(step):
            assert found.call(step, None) is None
    assert [step for name, step in called if name == "sample"] == [0, 4, 8, 12, 13]
    assert [step for name, step in called if name == "spectrum"] == [0, 6, 12, 13]


def test_steps_until_the_next_one():
    found = hooks([])
    assert [found.steps_until_due(s, 5) for s in range(8)] == [4, 3, 2, 1, 1, 1, 2, 1]
    assert found.steps_until_due(12, 5) == 1


def test_without_a_measurement_nothing_is_due():
    found = Hooks(10, 0, 0, None, None, 3, None)
    assert not any(found.are_due(step) for step in range(11))


def test_an_evaluation_comes_last():
    called = []
    found = hooks(called, dict.fromkeys(PERIODS, 2))
    assert found.call(2, None) == Quality("fid", 1.0)
    assert [name for name, _ in called] == ["sample", "spectrum", "evaluate"]


def test_a_negative_period_is_refused():
    with pytest.raises(ConfigurationError, match="spectrum_every must be 0 or more"):
        hooks([], PERIODS | {"spectrum": -1})
