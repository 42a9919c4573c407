"""A recipe cannot execute code that the command line does not name.

`evil` is a module, and a package, that would write a file as it is imported; it can be
imported in every case. The commands run for real, up to where they refuse.
"""

import os
import shutil
import subprocess
import sys

import pytest

from logan_tf.configuration import bindings, recipe, recipe_files
from logan_tf.errors import ConfigurationError
from logan_tf.metrics import hub_modules

ROOT = recipe_files.RECIPES.parent
MARK = "import pathlib; pathlib.Path({!r}).touch()\n"


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A folder with modules that leave `executed` behind; the working directory."""
    mark = MARK.format(str(tmp_path / "executed"))
    for name in ("evil.py", "package/__init__.py", "package/deep/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(mark)
    (tmp_path / "package" / "module.py").write_text(mark)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] in ("evil", "package")]:
        del sys.modules[name]


def refused(result, folder, *parts: str) -> None:
    assert not (folder / "executed").exists()
    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    for part in parts:
        assert part in line


STATEMENTS = {
    "import evil": "evil",
    "import evil as keras": "evil",
    "from evil import keras": "evil.keras",
    "import package.module": "package.module",
    "from package import module": "package.module",
    "from package.deep import anything as math": "package.deep.anything",
    "batch_size = 2; import evil": None,
    "import\\\n  evil": None,
    "from __gin__ import dynamic_registration": "__gin__.dynamic_registration",
    "from __gin__ import dynamic_registration\nimport evil": "__gin__",
}


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("where", ["recipe", "included", "parameter"])
def test_an_import_is_refused_before_it_executes(where, statement, command, evil):
    text = f"include 'ring_logan.gin'\n{statement}\n"
    (evil / "evil.gin").write_text(text)
    (evil / "outer.gin").write_text("include 'evil.gin'\n")
    flags = {
        "recipe": ["--gin_file=evil.gin"],
        "included": ["--gin_file=outer.gin"],
        "parameter": ["--gin_file=ring_logan", f"--gin_param={statement}"],
    }
    result = command("train", *flags[where], "--run_dir=run", "--module=keras")
    refused(result, evil, STATEMENTS[statement] or "error: ")


def test_a_module_is_allowed_by_its_whole_name(command, evil):
    """Allowing a module of a package allows no other of it."""
    for allowed, wanted in (
        ("package", "package.module"),
        ("package.module", "package"),
        ("evil2", "evil"),
        ("keras", "keras.evil"),
    ):
        result = command(
            "train",
            "--gin_file=ring_logan",
            f"--gin_param=import {wanted}",
            f"--module={allowed}",
        )
        refused(result, evil, f"--module={wanted}")


@pytest.mark.parametrize("name", ["train", "sample", "evaluate"])
def test_a_run_directory_of_somebody_else_executes_nothing(
    name, command, ring_run, evil
):
    run = evil / "run"
    shutil.copytree(ring_run, run)
    config = (run / "config.gin").read_text()
    (run / "config.gin").write_text(f"{config}\nimport evil\n")
    flags = ["--output=grid.png"] if name == "sample" else []
    refused(command(name, "--run_dir=run", *flags), evil, "--module=evil")


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("'model'", "--trust=model"),
        ("'https://tfhub.dev/other/1'", "give the folder"),
        ("%model", "--trust=model"),
        ("@model/macro()", "'macro' is gin's own"),
        ("@uniform_prior()", "not @uniform_prior()"),
    ],
)
@pytest.mark.parametrize("classifier", ["SavedModelClassifier", "Inception"])
def test_a_saved_model_is_refused_that_the_command_line_does_not_name(
    classifier, value, part, command, ring_run, evil
):
    run = evil / "run"
    shutil.copytree(ring_run, run)
    config = (run / "config.gin").read_text()
    more = f"{classifier}.path = {value}\nmodel = 'model'\n"
    more = more if "%" in value else more.splitlines()[0]
    (run / "config.gin").write_text(f"{config}\n{more}\n")
    refused(command("evaluate", "--run_dir=run", "--trust=another"), evil, part)


def test_a_saved_model_that_the_command_line_names_may_be_a_classifier(evil):
    for path, trusted in (
        ("model", [str(evil / "other" / ".." / "model")]),
        (hub_modules.INCEPTION, []),
    ):
        text = f"include 'ring_logan.gin'\nInception.path = '{path}'\n"
        (evil / "mine.gin").write_text(text)
        bindings.apply(recipe.read(["mine.gin"], [], []), [], trusted)


def test_looking_for_an_include_imports_no_package(command, evil):
    """gin itself looks inside importable packages, and imports those above."""
    (evil / "elsewhere" / "package" / "deep").mkdir(parents=True)
    (evil / "elsewhere" / "package" / "deep" / "part.gin").write_text("seed = 1\n")
    mine = evil / "elsewhere" / "mine.gin"
    mine.write_text("include 'ring_logan.gin'\ninclude 'package/deep/part.gin'\n")
    result = command("train", f"--gin_file={mine}", "--dry_run", "--run_dir=run")
    assert not (evil / "executed").exists()
    assert (result.exit_code, result.err) == (0, "")
    assert "seed = 1\n" in result.out


def test_gin_executes_what_was_checked_and_not_what_the_file_has_become(evil):
    path = evil / "mine.gin"
    path.write_text("include 'ring_logan.gin'\n")
    read = recipe.read([str(path)], [], [])
    path.write_text("import evil\n")
    bindings.apply(read, [])
    assert not (evil / "executed").exists()


@pytest.mark.parametrize(
    "value",
    [
        "@evil.anything()",
        "@package.module.anything",
        "@os.system",
        "@builtins.eval()",
        "@keras.utils.get_file()",
        "[{'a': (@evil.anything(),)}]",
    ],
)
def test_a_reference_reaches_what_is_registered_alone(value, command, evil):
    result = command(
        "train", "--gin_file=ring_logan", f"--gin_param=Experiment.dataset = {value}"
    )
    refused(result, evil, "gin knows no")


@pytest.mark.parametrize(
    "value",
    [
        "__import__('evil')",
        "f'{__import__(\"evil\")}'",
        "(lambda: 1)()",
        "1 + 1",
        "open('executed', 'w')",
        "[x for x in ()]",
    ],
)
def test_a_value_is_a_literal(value, command, evil):
    for statement in (f"seed = {value}", f"Ring.sigma = {value}"):
        result = command("train", "--gin_file=ring_logan", f"--gin_param={statement}")
        refused(result, evil, "--gin_param, line 1")


@pytest.mark.parametrize(
    ("include", "parts"),
    [
        ("gs://bucket/mine.gin", ["no file 'gs://bucket/mine.gin'"]),
        ("https://example.com/mine.gin", ["no file 'https://"]),
        ("/dev/zero", ["no file '/dev/zero'"]),
        ("/", ["no file '/'"]),
        ("/etc/hostname/mine.gin", ["no file"]),
    ],
)
def test_only_local_files_are_included(include, parts, command, evil):
    (evil / "mine.gin").write_text(f"include {include!r}\n")
    refused(command("train", "--gin_file=mine.gin"), evil, *parts)


def test_local_files_may_lie_anywhere(evil):
    (evil / "a").mkdir()
    (evil / "part.gin").write_text("seed = 5\n")
    for include in ("../part.gin", str(evil / "part.gin")):
        (evil / "a" / "mine.gin").write_text(f"include {include!r}\n")
        assert recipe.read(["a/mine.gin"], [], []).macros() == {"seed": 5}


def test_includes_that_multiply_end(evil):
    for number in range(40):
        include = f"include 'part{number + 1}.gin'\n"
        (evil / f"part{number}.gin").write_text(include + include)
    (evil / "part40.gin").write_text("seed = 1\n")
    with pytest.raises(ConfigurationError, match="more than 100 files"):
        recipe.read(["part0.gin"], [], [])
    (evil / "deep.gin").write_text(f"seed = {'(' * 5000}1{')' * 5000}\n")
    with pytest.raises(ConfigurationError, match="recursion"):
        recipe.read(["deep.gin"], [], [])


def test_files_are_put_in_the_place_of_their_includes(evil):
    (evil / "part.gin").write_text("mlp.Generator:\n  hidden = (1,)\n  outputs = 3")
    (evil / "mine.gin").write_text(
        "# before\x0b\u2028\x0c, one line\nseed = 1\n  include 'part.gin'  # why\n\n"
        "include \\\n'part.gin'\nbatch_size = 2\n"
    )
    read = recipe.read(["mine.gin"], ["log_every = 4"], [])
    part = (evil / "part.gin").read_text() + "\n"
    assert (
        read.text
        == f"# before\x0b\u2028\x0c, one line\nseed = 1\n{part}\n{part}batch_size = 2\n"
        + ("log_every = 4\n")
    )


@pytest.mark.parametrize("after", ["  seed = 5", " seed = 5", "\n    seed = 5"])
def test_a_line_that_would_join_an_included_block_is_refused(after, evil):
    (evil / "part.gin").write_text("mlp.Generator:\n  outputs = 3\n")
    (evil / "mine.gin").write_text(f"include 'part.gin'\n{after}\n")
    with pytest.raises(ConfigurationError, match="indented"):
        recipe.read(["mine.gin"], [], [])


@pytest.mark.slow
def test_the_working_directory_does_not_stand_in_for_libraries(evil):
    """A process of its own: Python looks there first unless it is told not to."""
    for name in ("gin.py", "absl.py", "tensorflow.py", "keras.py", "numpy.py"):
        shutil.copy(evil / "evil.py", evil / name)
    done = subprocess.run(
        [str(ROOT / "bin" / "train"), "--gin_file=ring_logan", "--dry_run"],
        cwd=evil,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert not (evil / "executed").exists()
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_module_of_the_working_directory_can_be_named(evil):
    (evil / "mine.py").write_text(
        "import gin\n@gin.register(module='mine')\ndef wide():\n  return 2.5\n"
    )
    done = subprocess.run(
        [
            str(ROOT / "bin" / "train"),
            "--gin_file=ring_logan",
            "--gin_param=Ring.sigma = @mine.wide()",
            "--module=mine",
            "--dry_run",
        ],
        cwd=evil,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "import mine\n" in done.stdout
