"""What make does before it does anything."""

import os
import shutil
import subprocess

import pytest

from logan_tf.configuration import recipe_files

ROOT = recipe_files.RECIPES.parent


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("target", ["quickstart", "test", "lint", "docs"])
def test_nothing_runs_python_before_there_is_an_environment(target, tmp_path):
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/ran\necho a traceback >&2\nexit 1\n"
    )
    python.chmod(0o755)
    environment = os.environ | {"LOGAN_TF_PYTHON": str(python)}
    done = subprocess.run(
        ["make", "-n", target],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "ran").exists()
