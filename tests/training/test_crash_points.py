"""A kill at any point between two checkpoints: nothing is lost, nothing is half there.

Before each change of a file, what a kill would leave then is copied; from each of the
copies that differ, the run goes on.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from logan_tf import atomic_file
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.collapse import Quality

_CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}
_VALUES = {0: 400.0, 2: 80.0, 4: 90.0, 6: 85.0}
_SETTINGS = {
    "total_steps": 6,
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 2,
    "evaluate_every": 2,
}


def contents(run: Path) -> dict[str, bytes]:
    files = (path for path in run.rglob("*") if path.is_file())
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


class Copies:
    """An audit hook, which nothing can remove, so it is switched off."""

    def __init__(self, run: Path, to: Path) -> None:
        self.made: list[Path] = []
        self._run, self._to, self._last = run, to, None
        self.watching = False
        sys.addaudithook(self._copy)

    def _copy(self, event: str, arguments: tuple) -> None:
        if not self.watching or event not in _CHANGES:
            return
        self.watching = False
        if (found := contents(self._run)) != self._last:
            self._last = found
            self.made.append(self._to / str(len(self.made)))
            shutil.copytree(self._run, self.made[-1])
        self.watching = True


@pytest.fixture
def copies(tmp_path) -> Iterator[Copies]:
    made = Copies(tmp_path / "whole", tmp_path / "copies")
    yield made
    made.watching = False


@pytest.mark.slow
def test_a_kill_between_two_checkpoints_loses_nothing(
    copies, trainer, toy, lines, events, same_run, tmp_path
):
    def start(run: Path) -> None:
        def sample(step, monitor):
            copies.watching = run.name == "whole" and step == 4
            atomic_file.write_text(run / "samples" / f"{step}.png", f"of {step}")
            monitor.evaluation(step, {"drawn": step})

        def evaluate(step, monitor):
            text = json.dumps({"fid": _VALUES[step]})
            atomic_file.write_text(run / "evaluations" / f"{step}.json", text)
            return Quality("fid", _VALUES[step])

        made = trainer(toy(), run, **_SETTINGS, sample=sample, evaluate=evaluate)
        made._directory.sweep()
        made.train(progress=False)

    whole = tmp_path / "whole"
    start(whole)
    copies.watching = False
    steps = {CheckpointFiles(copy / "checkpoints").steps()[-1] for copy in copies.made}
    assert steps == {4, 6}  # From the sample of step 4 to that of step 6.
    assert len(copies.made) > 10
    for copy in copies.made:
        start(copy)
        same_run(copy, whole, 6)
        assert lines(copy) == lines(whole)
        assert events(copy) == events(whole)
        for folder in ("samples", "evaluations"):
            assert contents(copy / folder).items() >= contents(whole / folder).items()
        files, others = (CheckpointFiles(r / "checkpoints") for r in (copy, whole))
        # One that was about to go stays until the next save.
        assert files.steps()[-3:] == others.steps() == [2, 4, 6]
        assert files.manifest(6) == others.manifest(6)
        assert files.best().step == 2
        assert files.half_written() == []
