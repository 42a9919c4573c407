"""The README: short, and what it tells people to type works in its order."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from logan_tf.installation import ROOT

README = (ROOT / "README.md").read_text("utf-8")
# Those of the shell and of Python, in their order; how long a training takes is cut.
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", README, re.M | re.S)
STEPS = "total_steps = 4"
# What the README leaves to the reader: two networks and pictures.
OF_THE_READER = """
import keras, logan_tf, numpy
from logan_tf.networks import mlp
generator, discriminator = mlp.Generator(16, (8,)), mlp.Discriminator((8,))
images = numpy.random.default_rng(0).normal(size=(256, 2)).astype("float32")
"""


def test_it_is_short():
    lines = README.splitlines()
    assert len(lines) <= 120
    assert max(len(line) for line in lines) <= 100


@pytest.mark.slow
def test_its_commands_run_in_order(tmp_path):
    done = []
    for name, command in commands():
        ran = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"MPLBACKEND": "agg"},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        done.append(name)
    shell = ["bin/train", "bin/sample", "bin/evaluate", "bin/export"]
    assert done == [*shell, "python", "python"]
    run_dir = tmp_path / "runs/stacked_digits_logan"
    assert (run_dir / "saved_model/saved_model.pb").is_file()
    assert (tmp_path / "grid.png").stat().st_size > 1000


def commands() -> Iterator[tuple[str, list]]:
    """(name, command) of each line of the shell, and of each block of Python."""
    for language, text in BLOCKS:
        if language == "python":
            code = text.replace("total_steps=500", "total_steps=4")
            code = OF_THE_READER + code.replace("epochs=20", "epochs=1")
            yield "python", [sys.executable, "-c", code]
            continue
        for line in text.splitlines():
            program, *flags = shlex.split(line, comments=True)
            if program == "make":
                continue  # Its targets are whole runs of their own.
            short = [f"--gin_param={STEPS}"] if program == "bin/train" else []
            yield program, [ROOT / program, *flags, *short]
