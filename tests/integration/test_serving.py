"""examples/serve.py on the generator that comes with the package."""

import subprocess
import sys

import pytest

from logan_tf.installation import PRETRAINED, ROOT

CONVERTERS = ROOT / ".venv-converters/bin/python"
EXAMPLE = ROOT / "examples/serve.py"


def served(runtime: str, python=sys.executable) -> list[str]:
    command = [python, EXAMPLE, PRETRAINED / "digits", runtime]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-17:]


@pytest.mark.slow
def test_runtimes_draw_the_same_picture():
    shape, *rows = served("tensorflow")
    assert shape.startswith("(16, 16, 16, 1)")
    assert len({len(row) for row in rows}) == 1
    assert len(set("".join(rows))) > 5
    assert served("tflite") == [shape, *rows]
    if CONVERTERS.exists():
        assert served("onnx", CONVERTERS) == [shape, *rows]
