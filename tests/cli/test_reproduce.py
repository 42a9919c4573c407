"""bin/reproduce: what there is, and what is refused before anything runs."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from logan_tf.configuration import recipe_files
from logan_tf.installation import RESULTS


def test_the_studies_are_listed(command):
    listed = command("reproduce", "--list")
    assert (listed.exit_code, listed.err) == (0, "")
    names = [line.split()[0] for line in listed.out.splitlines()]
    assert {"table2", "controls", "figure5a", "figure8", "tables45", "dirac"} <= set(
        names
    )
    arms = command("reproduce", "table2", "--list", "--scale=paper")
    assert "sngan_cifar10" in arms.out
    assert "stacked" not in arms.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "which study?"),
        (["tabel2"], "did you mean 'table2'?"),
        (["table2", "--only=lagon"], "no arm 'lagon'; it has baseline, csgan, logan"),
        (["table2", "--jobs=0"], "--jobs"),
        (["table2", "--scale=huge"], "--scale"),
        (["bilinear", "--only=plain"], "bilinear has no runs: leave out --only"),
        (["dirac", "--scale=smoke"], "dirac has no runs: leave out --scale"),
        (["dirac", "--anew"], "dirac has no runs: leave out --anew"),
        (["dirac", "--data_dir=x"], "dirac has no runs: leave out --data_dir"),
    ],
)
def test_mistakes_are_one_line(flags, message, command, tmp_path):
    found = command("reproduce", *flags, f"--output={tmp_path}")
    assert found.exit_code == 2
    (line,) = found.err.splitlines()
    assert message in line


def test_what_is_committed_is_written_down_without_a_run(command, tmp_path):
    found = command("reproduce", "ring", "--as_is", f"--output={tmp_path}")
    assert found.exit_code == 0
    tables = [
        json.loads((folder / "ring" / "results.json").read_text())["table"]
        for folder in (tmp_path, RESULTS)
    ]
    assert tables[0] == tables[1]
    without = command("reproduce", "ring", "--as_is", "--anew", f"--output={tmp_path}")
    assert without.exit_code == 0
    assert "5,000" not in without.out


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on(tmp_path, data_dir):
    """The real commands: killed, and killed by SIGKILL, then the same numbers."""

    def start(folder) -> subprocess.Popen:
        flags = [
            "--scale=smoke",
            "--seeds=1",
            "--jobs=2",
            "--only=baseline,logan",
            f"--output={folder}",
            f"--gin_param=data_dir = {data_dir!r}",
        ]
        return subprocess.Popen(
            [sys.executable, "-m", "logan_tf.cli.reproduce", "table2", *flags],
            env=os.environ | {"PYTHONPATH": str(recipe_files.RECIPES.parent)},
        )

    assert start(tmp_path / "whole").wait() == 0
    for signal_, code in ((signal.SIGTERM, 42), (signal.SIGKILL, -9)):
        with start(tmp_path / "killed") as process:
            time.sleep(15)
            process.send_signal(signal_)
            assert process.wait() == code
    assert start(tmp_path / "killed").wait() == 0
    found = [
        [
            [e["metrics"] for e in run["evaluations"]]
            for run in json.loads(path.read_text())["runs"][:2]
        ]
        for path in sorted(tmp_path.glob("*/table2/results.json"))
    ]
    assert len(found) == 2
    assert found[0] == found[1]
