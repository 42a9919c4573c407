"""Blocks of the pages: Python runs, recipes can be read, shell parses."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import gin
import pytest

from logan_tf.configuration import bindings, recipe
from logan_tf.installation import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/[a-z]*/*.md")),
]
FRAGMENT = "# Fragment"  # What such a block of Python begins with.
BLOCK = re.compile(r"^```(?P<head>[^\n`]*)\n(?P<text>.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """What a page shows as code, and where."""

    place: str
    head: str
    text: str


def blocks(page: Path) -> list[Block]:
    text, name = page.read_text("utf-8"), page.relative_to(ROOT)
    return [
        Block(f"{name}:{text.count(chr(10), 0, m.start()) + 1}", m["head"], m["text"])
        for m in BLOCK.finditer(text)
    ]


ALL = [block for page in PAGES for block in blocks(page)]


def of(*heads: str, where: str = "") -> list:
    """The blocks of some languages, as parameters of a test."""
    return [
        pytest.param(block, id=block.place)
        for block in ALL
        if block.head in heads and block.place.startswith(where)
    ]


def test_blocks_are_found(tmp_path):
    page = ROOT / "docs" / "start" / "own_networks.md"
    assert [block.head for block in blocks(page)] == ["python", "gin", "sh"]
    assert len(of("python", where="docs/")) > 5
    assert len(of("{code-cell} python")) > 20


@pytest.mark.parametrize("block", of("python", where="docs/"))
def test_python_runs(block, tmp_path, monkeypatch):
    """In a folder that has the package's own exports; nothing else is given."""
    (tmp_path / "pretrained").symlink_to(ROOT / "pretrained")
    monkeypatch.chdir(tmp_path)
    code = compile(block.text, block.place, "exec")
    if not block.text.startswith(FRAGMENT):
        with gin.unlock_config():  # Another test of this process may have locked it.
            exec(code, {"__name__": block.place})


@pytest.mark.parametrize("block", of("python"))
def test_python_parses(block):
    compile(block.text, block.place, "exec")


@pytest.mark.parametrize("block", of("{code-cell} python"))
def test_notebooks_parse(block):
    """`make docs` executes them."""
    lines = [ln for ln in block.text.splitlines() if not re.match(r":\w+:|%%", ln)]
    compile("\n".join(lines), block.place, "exec")


@pytest.mark.parametrize("block", of("gin", where="docs/"))
def test_recipes_can_be_read(block, tmp_path):
    """Names and types too, but for those of the reader's own module."""
    path = tmp_path / "page.gin"
    path.write_text(block.text)
    read = recipe.read(["digits_logan", str(path)], [], [])
    if "@mine." in block.text:
        return
    trusted = re.findall(r"^Inception\.path = '(.*)'", block.text, re.M)
    try:
        bindings.apply(read, [], trusted)
    finally:
        gin.clear_config()


@pytest.mark.parametrize("block", of("sh", "bash"))
def test_shell_parses(block):
    found = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_of_prose_can_be_read_without_scrolling(page):
    """In docs/; tables and links may be long."""
    if ROOT / "docs" not in page.parents:
        return
    prose = BLOCK.sub("", page.read_text("utf-8"))
    for line in prose.splitlines():
        assert len(line) <= 100 or re.search(r"^\||^!?\[.*\)$|://", line), line
