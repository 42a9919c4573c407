"""A wheel, installed beside the environment's packages, outside of the checkout."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from logan_tf.configuration import recipe_files
from logan_tf.installation import ROOT

pytestmark = pytest.mark.slow

BUILT_FROM = ("README.md", "LICENSE", "setup.py", "setup.cfg", "pyproject.toml")
SMALL = ("total_steps = 2", "log_every = 1", "batch_size = 8")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder that the wheel was installed in."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source)
    for name in ("logan_tf", "gin", "docs/receipts", "pretrained"):
        shutil.copytree(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        source / "dist",
        source,
    ]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = (source / "dist").glob("*.whl")
    install = ["install", "--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run([*pip, *install], check=True)
    return target


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where commands are run; far from the checkout."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def command(installed, folder):
    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [installed / "bin" / "logan-tf", *arguments],
            env=os.environ | {"PYTHONPATH": str(installed), "COLUMNS": "80"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


@pytest.fixture(scope="module")
def trained(command, folder) -> Path:
    params = [f"--gin_param={each}" for each in SMALL]
    command("train", "--gin_file=stacked_digits_logan", "--run_dir=run", *params)
    return folder / "run"


def test_it_trains(trained):
    rows = (trained / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2]
    assert "logan-tf sample" in (trained / "report.html").read_text()


def test_it_samples(command, trained):
    command("sample", "--run_dir=run", "--num=4", "--output=four.npz")
    assert np.load(trained.parent / "four.npz")["images"].shape[0] == 4


def test_it_samples_without_a_run(command, folder):
    command("sample", "--pretrained=digits", "--num=4", "--output=digits.npz")
    assert np.load(folder / "digits.npz")["images"].shape == (4, 16, 16, 1)


def test_it_has_a_python_face(installed, trained):
    script = (
        "import logan_tf, sys; run = logan_tf.load(sys.argv[1]);"
        "assert run.sample(2).shape == (2, 16, 16, 3), run;"
        "assert list(run.metrics.index) == [1, 2];"
        f"assert logan_tf.__file__.startswith({str(installed)!r})"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    subprocess.run(
        [sys.executable, "-c", script, trained],
        env=environment,
        cwd=installed,
        check=True,
    )


def test_it_evaluates(command, trained):
    command("evaluate", "--run_dir=run")
    assert list((trained / "evaluations").glob("*.json"))


def test_it_exports(command, trained):
    command("export", "--run_dir=run", "--output=exported")
    command("sample", "--saved_model=exported", "--num=4", "--output=four.png")
    assert (trained.parent / "four.png").is_file()


@pytest.mark.parametrize("recipe", ["ring_logan", "gin/stacked_digits_logan.gin"])
def test_it_builds_recipes(recipe, command):
    out = command("train", f"--gin_file={recipe}", "--dry_run")
    assert "total_steps" in out


def test_it_carries_every_recipe(installed):
    shipped = installed / "logan_tf" / "recipes"
    ours = recipe_files.RECIPES
    names = {path.relative_to(ours) for path in ours.rglob("*.gin")}
    assert names == {path.relative_to(shipped) for path in shipped.rglob("*.gin")}
    script = (
        "from logan_tf.configuration import recipe, recipe_files\n"
        "import pathlib\n"
        f"assert recipe_files.RECIPES == pathlib.Path({str(shipped)!r})\n"
        "for path in recipe_files.RECIPES.glob('*.gin'):\n"
        "    recipe.read([path.stem], [], [])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=installed, check=True
    )
