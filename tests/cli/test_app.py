"""The frame of every command: exit codes, one line an error, a quiet start."""

import errno
import os
import subprocess
import sys

import pytest

from logan_tf.cli import app
from logan_tf.configuration import recipe_files
from logan_tf.errors import (
    BadDataError,
    ConfigurationError,
    DivergedError,
    PreemptedError,
)


@pytest.fixture
def ended(monkeypatch, capsys):
    """main, arguments → (exit code, output, errors) of a command."""

    def run(main, *arguments: str):
        monkeypatch.setattr(sys, "argv", ["bin/command", *arguments])
        with pytest.raises(SystemExit) as exit_:
            app.run(main, "what it does")
        return exit_.value.code, *capsys.readouterr()

    return run


def raising(error: Exception):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigurationError, 2), (BadDataError, 3), (DivergedError, 4)],
)
def test_an_error_is_one_line_and_a_code(error, code, ended):
    # gin appends a line to what is raised in what it calls.
    found = ended(raising(error("cause: remedy\n  In call to configurable 'x'")))
    assert found == (code, "", "error: cause: remedy\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [(PreemptedError("all is saved"), "all is saved"), (KeyboardInterrupt(), "inter")],
)
def test_an_interruption_is_no_error(error, said, ended):
    code, out, err = ended(raising(error))
    assert (code, out) == (42, "")
    assert err.startswith(said)
    assert len(err.splitlines()) == 1


def test_a_command_that_ends_well(ended):
    assert ended(lambda: print("done")) == (0, "done\n", "")


def test_a_defect_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bin/command"])
    with pytest.raises(ZeroDivisionError):
        app.run(raising(ZeroDivisionError()), "")


@pytest.mark.parametrize("flag", ["--help", "-h", "-help"])
def test_help_runs_nothing(flag, ended):
    code, out, err = ended(raising(AssertionError()), "--no_such_flag", flag)
    assert (code, err) == (0, "")
    assert out.startswith("what it does\n")


def test_flags_are_checked_before_anything_runs(ended):
    code, _, err = ended(raising(AssertionError()), "--no_such_flag=1")
    assert code == 2
    assert err.startswith("error: Unknown command line flag 'no_such_flag'")
    assert len(err.splitlines()) == 1
    code, _, err = ended(raising(AssertionError()), "recipe.gin")
    assert (code, "'recipe.gin' is no flag" in err) == (2, True)


FAKE = """
import logging, os, types
os.write(2, b"a page of notes\\n")
{}
config = types.SimpleNamespace(list_logical_devices=lambda: os.write(2, b"more"))
def get_logger():
    return logging.getLogger("fake")
"""


@pytest.mark.parametrize("failure", ["", "raise ImportError('no such library')"])
def test_tensorflow_starts_quietly_unless_it_fails(failure, tmp_path):
    (tmp_path / "tensorflow.py").write_text(FAKE.format(failure))
    code = (
        "import sys; from logan_tf.cli import app; app.import_tensorflow();"
        "print('ours', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{recipe_files.RECIPES.parent}"},
        capture_output=True,
        text=True,
    )
    if failure:
        assert done.returncode == 1
        assert done.stderr.startswith("a page of notes\n")
        assert "no such library" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "ours\n")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.png"), "'x.png'"),
        (OSError(errno.EFBIG, "File too large"), "File too large"),
        (OSError(errno.EROFS, "Read-only file system", "run"), "Read-only"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
    ],
)
def test_a_full_disk_is_one_line_wherever_it_shows(error, shown, ended):
    def wrapped() -> None:
        try:
            raise error
        except OSError as cause:
            raise ValueError("something else") from cause

    for main in (raising(error), wrapped):
        code, out, err = ended(main)
        assert (code, out) == (3, "")
        (line,) = err.splitlines()
        assert line.startswith("error: ")
        assert shown in line
        assert "the same command goes on" in line


def test_tensorflows_word_for_a_full_disk(ended):
    import tensorflow as tf

    full = tf.errors.ResourceExhaustedError(None, None, "e.v2; No space left on device")
    assert ended(raising(full))[0] == 3
    other = tf.errors.ResourceExhaustedError(None, None, "out of memory")
    with pytest.raises(tf.errors.ResourceExhaustedError):
        app.run(raising(other), "what it does")


LONG = """
import sys
from logan_tf.cli import app
sys.argv = ["bin/command"]
def main():
    for number in range(50_000):
        print(number)
    open(sys.path[0] + "/done", "w").close()
app.run(main, "")
"""


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ("| head -1; echo ${PIPESTATUS[0]}", "0", ""),
        ("> /dev/full; echo $?", "3", "error: the output was lost: [Errno 28]"),
        (">&- ; echo $?", "0", ""),
        (">&- 2>&-; echo $?", "0", ""),
        ("2> /dev/full > /dev/null; echo $?", "0", ""),
    ],
)
def test_who_reads_the_output_does_not_end_the_work(ending, code, said, tmp_path):
    (tmp_path / "command.py").write_text(LONG)
    environment = os.environ | {"PYTHONPATH": str(recipe_files.RECIPES.parent)}
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {tmp_path}/command.py {ending}"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout.split()[-1] == code
    assert done.stderr.startswith(said)
    assert bool(said) == bool(done.stderr)
    assert (tmp_path / "done").exists()
