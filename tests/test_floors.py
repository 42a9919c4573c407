"""Imports run downwards: no circle of modules, no arrow up between folders.

Read from the source, so imports inside of functions and those for type checkers count.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    "logan_tf.api",
    "logan_tf.cli",
    "logan_tf.configuration",
    "logan_tf.lab",
    "logan_tf.benchmarks",
    "logan_tf.programs",
    "logan_tf.studies",
    "logan_tf.report",
    "logan_tf.accuracy",
    "logan_tf.plots",
    "logan_tf.evaluation",
    "logan_tf.metrics",
    "logan_tf.sampling",
    "logan_tf.training",
    "logan_tf.runs",
    "logan_tf.game",
    "logan_tf.networks",
    "logan_tf.layers",
    "logan_tf.data",
)
"""From the top; what is on none (errors, atomic_file, …) serves all and needs none."""


def modules_in(root: Path) -> dict[str, Path]:
    """Dotted name → file, of every module of ours."""
    found = {}
    for path in sorted((root / "logan_tf").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a file names in its imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            package = node.module or ""
            members = {f"{package}.{alias.name}" for alias in node.names}
            names |= {member if member in known else package for member in members}
    return names & known.keys()


def graph_of(root: Path) -> dict[str, set[str]]:
    known = modules_in(root)
    return {name: imported(path, known) for name, path in known.items()}


def floor_of(module: str) -> str | None:
    """The floor that a module is on; None: it serves all."""
    for floor in FLOORS:
        if f"{module}.".startswith(f"{floor}."):
            return floor
    return None


def arrows_up(graph: dict[str, set[str]]) -> Iterator[str]:
    """What is imported from a higher floor."""
    heights = {floor: -place for place, floor in enumerate(FLOORS)}
    lowest = min(heights.values()) - 1
    for module, others in graph.items():
        height = heights.get(floor_of(module) or "", lowest)
        for other in sorted(others):
            if heights.get(floor_of(other) or "", lowest) > height:
                yield f"{module} imports {other}"


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in turn; empty where none do."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_nothing_is_imported_from_above():
    assert list(arrows_up(graph_of(ROOT))) == []


def test_no_modules_import_each_other():
    assert circle(graph_of(ROOT)) == []


def test_every_folder_is_on_a_floor():
    folders = {f"logan_tf.{path.parent.name}" for path in ROOT.glob("logan_tf/*/*.py")}
    assert folders - set(FLOORS) == set()


@pytest.mark.parametrize(
    ("where", "line", "found"),
    [
        ("game/a.py", "from logan_tf.training import b", True),
        ("game/a.py", "def f():\n    from logan_tf.training.b import c", True),
        ("game/a.py", "import logan_tf.training.b", True),
        ("errors.py", "from logan_tf.data import a", True),
        ("training/b.py", "from logan_tf.game.a import c", False),
        ("game/a.py", "from logan_tf import errors", False),
    ],
)
def test_an_arrow_up_would_be_seen(where, line, found, tmp_path):
    for name in ("errors.py", "game/a.py", "training/b.py", "data/a.py"):
        path = tmp_path / "logan_tf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "logan_tf" / where).write_text(f"{line}\n")
    assert bool(list(arrows_up(graph_of(tmp_path)))) == found


def test_a_circle_would_be_seen():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_no_folder_holds_more_than_fifteen_modules():
    folders = {path.parent for path in (ROOT / "logan_tf").rglob("*.py")}
    counts = {
        folder: len([p for p in folder.glob("*.py") if p.name != "__init__.py"])
        for folder in folders
    }
    assert {f: n for f, n in counts.items() if n > 15} == {}
