"""What the pages tell people to type is what the commands take."""

import re
import shlex
from pathlib import Path

import pytest

from logan_tf.configuration import recipe, recipe_files

ROOT = recipe_files.RECIPES.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "benchmarks/README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/[a-z]*/*.md")),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
# Also with a folder before it, but no environment's own commands.
COMMAND = re.compile(
    r"(?<![\w.-])(?<!venv/)(?<!venv-tpu/)bin/(?P<name>\w+)(?P<rest>(?: [^`\n&;|]*)?)"
)


def command_lines(text: str) -> list[tuple[str, list[str]]]:
    """(name, flags) of every bin/<name> on a page; {a,b} is two of them."""
    found = []
    for match in COMMAND.finditer(text.replace("\\\n", " ")):
        rest = match["rest"].split(" #")[0]
        braces = re.search(r"\{(\w+(?:,\w+)+)\}", rest)
        for choice in braces[1].split(",") if braces else [""]:
            words = _words(rest.replace(braces[0], choice) if braces else rest)
            found.append((match["name"], [w for w in words if w.startswith("-")]))
    return found


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # An apostrophe in the sentence around it.
        return line.split()


USES = [
    pytest.param(name, flags, id=f"{page.relative_to(ROOT)}-{index}-{name}")
    for page in PAGES
    for index, (name, flags) in enumerate(command_lines(page.read_text("utf-8")))
]


def test_the_pages_have_commands():
    found = [(name, flags) for name, flags in (use.values for use in USES) if flags]
    assert len(found) > 15
    assert {name for name, _ in found} >= {"train", "sample", "evaluate"}


def test_commands_are_found_in_sentences_lists_and_scripts():
    text = (
        "Call `bin/sample --num=3`, or (x) `bin/train`.\n"
        "    until bin/train --restart \\\n      --gin_file=a; do sleep 1; done\n"
        "ExecStart=/opt/it/bin/train --tpu=b  # why --not\n"
        "cd x && bin/evaluate --seed=1 && bin/sample\nsbin/train --wrong\n"
        ".venv/bin/pip --wrong; bin/train --gin_file=gin/{a,b}.gin\n"
    )
    assert command_lines(text) == [
        ("sample", ["--num=3"]),
        ("train", []),
        ("train", ["--restart", "--gin_file=a"]),
        ("train", ["--tpu=b"]),
        ("evaluate", ["--seed=1"]),
        ("sample", []),
        ("train", ["--gin_file=gin/a.gin"]),
        ("train", ["--gin_file=gin/b.gin"]),
    ]


@pytest.fixture(scope="module")
def flags_of(command):
    """name → what bin/<name> takes, by its own --help."""
    known: dict[str, set[str]] = {}

    def flags(name: str) -> set[str]:
        if name not in known:
            assert (ROOT / "bin" / name).is_file()
            text = command(name, "--help").out
            known[name] = {"help", *re.findall(r"^  --(\w+)", text, re.M)}
        return known[name]

    return flags


@pytest.mark.parametrize(("name", "flags"), USES)
def test_every_flag_and_recipe_exists(name, flags, flags_of):
    for flag in flags:
        key, _, value = flag.lstrip("-").partition("=")
        known = flags_of(name)
        assert key in known or key.removeprefix("no") in known, flag
        # `gin/…` and what is written in capitals stand for the reader's own.
        if key == "gin_file" and value.startswith("gin/") and value[4:5].isalpha():
            recipe_files.find(value)
            assert (ROOT / value).is_file(), value


@pytest.mark.parametrize(("name", "flags"), USES)
def test_every_statement_can_be_read(name, flags):
    params = [f.partition("=")[2] for f in flags if f.startswith("--gin_param=")]
    recipes = [f.partition("=")[2] for f in flags if f.startswith("--gin_file=gin/")]
    # A value in capitals, or an ellipsis, is the reader's to fill in.
    params = [p for p in params if not re.search(r"= [A-Z]+$|…", p)]
    if recipes or params:
        recipe.read(recipes or ["ring_logan"], params, [])


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_target_of_make_exists(page):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = page.read_text("utf-8")
    named = re.findall(r"`make ([\w-]+)", text)
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        named += re.findall(r"^make ([\w-]+)", block, re.M)
    assert set(named) <= targets


def anchors(page: Path) -> set[str]:
    """What a link to a page may end with: its headings, as GitHub writes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    plain = [re.sub(r"\]\([^)]*\)|[`*\[]", "", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in plain}


def test_anchors_are_those_of_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b` & c, d\n```sh\n# no\n```\n## 7. A [pod](x.md) slice\n")
    assert anchors(page) == {"a-b--c-d", "7-a-pod-slice"}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_and_heading_that_is_linked_exists(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / Path(name) if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target
