"""What messages tell the user to type exists, by the name that they give it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gin

import logan_tf
from logan_tf.configuration import (
    configurables,  # noqa: F401, registers what a recipe can name
    recipe,
    recipe_files,
    signatures,
)

PACKAGE = Path(logan_tf.__file__).parent
COMMANDS = PACKAGE.parent / "bin"
OTHERS_FLAGS = {"file_format", "logdir", "distribution", "help", "name"}
"""Of tfds build, tensorboard, srun and absl; `--name=value`."""
ALONE = {"latent_steps", "latent_rule", "num_modes", "blocks_per_stage"}
"""Parameters that are a flag, the library's, or of classes of the same name."""
SYNTAX = {"name", "replicas"}  # `name = value`; what --sweep knows beside macros
NO_MESSAGES = ("programs/", "studies/")  # HLO; statements of recipes


def _texts(path: Path) -> Iterator[str]:
    """A module's texts, docstrings left out; what is put into one is '…'."""
    tree = ast.parse(path.read_text("utf-8"))
    left_out = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # Docstrings.
            left_out.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            left_out |= {id(value) for value in node.values}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            values = [getattr(value, "value", "") for value in node.values]
            yield "".join(v if isinstance(v, str) else "…" for v in values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


TEXTS = [
    (str(path.relative_to(PACKAGE)), text)
    for path in sorted(PACKAGE.rglob("*.py"))
    for text in _texts(path)
    if " " in text.strip()
    and not str(path.relative_to(PACKAGE)).startswith(NO_MESSAGES)
]
OWNERS: dict[str, set[str]] = {}
"""Of what a recipe can name: its parameters, those of the same name together."""
for name, registered in gin.config._REGISTRY.items():
    if registered.wrapper.__module__.startswith("logan_tf"):
        own = OWNERS.setdefault(name.rsplit(".", 1)[-1], set())
        own |= set(signatures.parameters(registered.wrapper))
MACROS = set().union(
    *(
        recipe.read([str(path)], [], []).macros()
        for path in recipe_files.RECIPES.glob("*.gin")
    )
)


def _unknown(pattern: str, known) -> list[tuple[str, str]]:
    return [
        (place, match)
        for place, text in TEXTS
        for match in re.findall(pattern, text)
        if not known(match)
    ]


def test_flags():
    source = "".join(
        p.read_text("utf-8") for p in PACKAGE.joinpath("cli").rglob("*.py")
    )
    flags = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', source)) | OTHERS_FLAGS
    assert len(flags) > 40

    def known(name: str) -> bool:
        return name in flags or name.removeprefix("no") in flags

    assert _unknown(r"--([a-z]\w+)", known) == []


def test_commands_and_recipes():
    commands = {path.name for path in COMMANDS.iterdir()}
    assert _unknown(r"\bbin/(\w+)", commands.__contains__) == []

    def exists(name: str) -> bool:
        return recipe_files.find(name).is_file()

    assert _unknown(r"((?:gin|parts|ablations)/\w+\.gin)", exists) == []


def test_parameters_have_their_owner():
    """Macros and flags stand alone; a parameter is bound as Owner.parameter."""

    def known(match: tuple[str, str]) -> bool:
        owner, parameter = match
        return parameter in OWNERS.get(owner, {parameter})  # Others are no classes.

    assert _unknown(r"\b([A-Z]\w+)\.([a-z]\w+)", known) == []
    names = set().union(*OWNERS.values()) - MACROS - ALONE
    assert _unknown(r"(?<![\w.%'-])([a-z]+_\w+)\b(?!=)", lambda n: n not in names) == []


def test_macros():
    assert (
        _unknown(r"(?<![\w.%/-])([a-z]\w+) = ", {*MACROS, *SYNTAX}.__contains__) == []
    )
