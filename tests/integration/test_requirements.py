"""The TPU build's list has all that setup.cfg asks for; pip cannot check it."""

import configparser
import re

from logan_tf.configuration import recipe_files

ROOT = recipe_files.RECIPES.parent
# The one distribution that the TPU build replaces, and what only `make lint` needs.
REPLACED, LINT = "tensorflow", {"mypy", "ruff"}


def test_the_tpu_build_replaces_tensorflow_alone():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = (
        setup["options"]["install_requires"] + setup["options.extras_require"]["dev"]
    )
    lines = (ROOT / "requirements-tpu.txt").read_text().splitlines()
    pinned = {_name(line) for line in lines if not line.startswith("#")}
    assert {_name(line) for line in wanted.splitlines() if line.strip()} - pinned - {
        "#"
    } == {REPLACED, *LINT}
    assert {"tensorflow-tpu", "libtpu"} <= pinned


def _name(requirement: str) -> str:
    requirement = requirement.strip()
    if requirement.startswith("#"):
        return "#"
    return re.split(r"[=<>~ ]", requirement)[0].replace("_", "-").lower()
