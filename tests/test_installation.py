from pathlib import Path

import pytest

import logan_tf
from logan_tf import installation, versions
from logan_tf.cli import commands
from logan_tf.installation import COMMANDS, ROOT, as_typed

BIN = ROOT / "bin"


def test_the_commands_are_those_of_bin():
    assert sorted(COMMANDS) == sorted(path.name for path in BIN.iterdir())


def test_a_checkout_has_recipes_and_receipts():
    assert (installation.RECIPES / "parts").is_dir()
    assert (installation.RECEIPTS / "stacked_digits_baseline.json").is_file()


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("run bin/train --run_dir=a", "run logan-tf train --run_dir=a"),
        ("bin/doctor, or bin/report", "logan-tf doctor, or logan-tf report"),
        ("/usr/bin/train", "/usr/bin/train"),
        (".venv/bin/python and bin/python", ".venv/bin/python and bin/python"),
        ("bin/trainer", "bin/trainer"),
    ],
)
def test_an_installed_package_names_its_one_command(text, typed):
    assert as_typed(text, is_checkout=False) == typed
    assert as_typed(text, is_checkout=True) == text


def test_the_version_is_said_in_one_place():
    assert versions.installed("logan_tf")["logan_tf"] == logan_tf.__version__
    assert "attr: logan_tf.__version__" in (ROOT / "setup.cfg").read_text()


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["logan-tf", *arguments])
    commands.main()


def test_help_has_a_line_for_every_command(monkeypatch, capsys):
    run(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    for name in COMMANDS:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert len(line.split()) > 5


def test_a_command_gets_the_other_arguments(monkeypatch):
    ran = []

    def run_module(name: str, run_name: str) -> None:
        import sys

        ran.append((name, run_name, sys.argv[1:]))

    monkeypatch.setattr("runpy.run_module", run_module)
    run(monkeypatch, "sample", "--num=3")
    assert ran == [("logan_tf.cli.sample", "__main__", ["--num=3"])]
    assert Path(commands.__file__).with_name("sample.py").is_file()


def test_an_unknown_command_is_one_line(monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "trian")
    assert exit_.value.code == 2
    assert capsys.readouterr().err == (
        "error: there is no command 'trian': did you mean 'train'?\n"
    )


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        ("/a", "/b", "/a"),
        (None, "/b", "/b/logan_tf"),
        (None, None, "/home/ada/.cache/logan_tf"),
        ("", "", "/home/ada/.cache/logan_tf"),
    ],
)
def test_cache_directory(own, xdg, expected, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    for name, value in (("LOGAN_TF_CACHE", own), ("XDG_CACHE_HOME", xdg)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert str(installation.cache_dir()) == expected
