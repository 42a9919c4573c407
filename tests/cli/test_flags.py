"""Every number of every command's flags: out of its range it is one line, at once."""

import importlib
import sys

import pytest
from absl import flags

from logan_tf.cli import app

COMMANDS = (
    *("train", "evaluate", "sample", "export", "report", "prepare", "doctor"),
    *("benchmark", "reproduce", "peers", "quickstart", "local_approximation"),
)
NEEDED = {
    "sample": ("--output=grid.png",),
    "prepare": ("--images=none", "--output=none", "--size=4"),
    "benchmark": ("--gin_file=ring_logan", "--measure=steps"),
    "train": ("--gin_file=ring_logan", "--dry_run"),
    "evaluate": ("--run_dir=none",),
    "reproduce": ("--list",),
}


def _numbers(name: str) -> list[tuple[str, str]]:
    """Each number's flag, and the kind of its parser."""
    importlib.import_module(f"logan_tf.cli.{name}")
    ours = (flag for flag in app._flags() if flag.name in flags.FLAGS)
    kinds = {flag.name: flag.flag_type() for flag in ours}
    return [(flag, kind) for flag, kind in kinds.items() if kind in ("int", "float")]


@pytest.mark.parametrize("name", COMMANDS)
def test_numbers_out_of_range_are_refused(name, command, monkeypatch):
    command(name, "--no_such_flag")  # Defines this command's flags alone.
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # It cannot be imported.
    found = _numbers(name)
    assert found or name in ("report", "doctor", "quickstart")
    for flag, kind in found:
        values = ("nan", "inf", -1) if kind == "float" else (-1, 2**31, 2**63)
        for value in values:
            done = command(name, *NEEDED.get(name, ()), f"--{flag}={value}")
            assert done.exit_code == 2, (flag, value, done)
            (line,) = done.err.splitlines()
            assert f"--{flag}" in line


def test_seeds_that_go_beyond_the_last(command):
    flags_given = (f"--seed={app.MOST}", "--seeds=2")
    done = command("evaluate", "--run_dir=none", *flags_given)
    assert done.exit_code == 2
    assert "--seed=2147483647 with --seeds=2 goes beyond" in done.err


TEXTS = {
    *(
        "checkpoint",
        "classes",
        "cluster",
        "curve",
        "date",
        "forms",
        "gin_param",
        "measure",
    ),
    *("module", "only", "scale", "split", "strategy", "study", "sweep", "test_split"),
    *("pretrained", "tfds", "tpu", "values", "variants"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_home_folder_is_expanded_in_every_path(name, command, monkeypatch):
    monkeypatch.setenv("HOME", "/of/somebody")
    command(name, "--no_such_flag")  # Defines this command's flags alone.
    kinds = {flag.name: flag.flag_type() for flag in app._flags()}
    others = {flag for flag, kind in kinds.items() if kind in ("int", "float", "bool")}
    for flag in kinds.keys() - others - TEXTS:
        monkeypatch.setattr(sys, "argv", [name, f"--{flag}=~/x"])
        app._parse(sys.argv, None)
        assert flags.FLAGS[flag].value in ("/of/somebody/x", ["/of/somebody/x"]), flag
