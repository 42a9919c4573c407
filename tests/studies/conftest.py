"""A small study, and commands that take milliseconds."""

import dataclasses
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logan_tf.studies.results import ArmRun, Results, pictures_path
from logan_tf.studies.runner import Runner, RunnerSettings
from logan_tf.studies.study import EMBEDDED, Arm, Study

COMMANDS = Path(__file__).with_name("commands.py")


def load_commands():
    spec = importlib.util.spec_from_file_location("study_commands", COMMANDS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def commands():
    """The module that stands for the commands."""
    return load_commands()


@pytest.fixture
def two_arms() -> Study:
    """Two arms of two seeds, four steps."""
    arms = Arm("a", "A", "ring_logan"), Arm("b", "B", "ring_baseline")
    return Study("small", "a small one", arms, {EMBEDDED: (2, 4)}, seeds=2)


@pytest.fixture
def runner(tmp_path) -> Callable[..., Runner]:
    """(study, stop, settings) → its runner in a folder of the test's."""

    def make(study: Study, stop=lambda: False, **settings) -> Runner:
        program = (sys.executable, str(COMMANDS))
        given = {"scale": EMBEDDED, "at_once": 2, "program": program} | settings
        return Runner(study, RunnerSettings(tmp_path, **given), stop)

    return make


@pytest.fixture
def imitated(commands, tmp_path) -> Callable[[Study], Results]:
    """Study → results as its runs would leave them, each of 60 steps."""

    def make(study: Study) -> Results:
        study = dataclasses.replace(study, steps={EMBEDDED: (20, 40, 60)})
        runs = []
        for arm in study.arms:
            for seed in range(arm.seeds or study.seeds):
                path = tmp_path / f"{arm.name}-seed{seed}"
                path.mkdir()
                runs.append(ArmRun(arm, seed, path))
                _imitate(commands, study, runs[-1])
        return Results(study, EMBEDDED, runs)

    return make


def _imitate(commands, study: Study, run: ArmRun) -> None:
    lines = [commands.metrics(run.path, step, 60, {}) for step in range(1, 61)]
    text = "".join(f"{commands.json.dumps(line)}\n" for line in lines)
    (run.path / "metrics.jsonl").write_text(text)
    (run.path / "outcome.json").write_text('{"flags": [], "exit_code": 0}')
    for step in (0, 20, 40, 60):
        commands.evaluate(run.path, step, 0, 1.0)
    for asked in study.asked:
        commands.evaluate(run.path, 60, asked.latent_steps, asked.truncation)
    for asked in study.pictures:
        path = pictures_path(run, asked)
        path.parent.mkdir(exist_ok=True)
        commands.sample(path, asked.latent_steps)
