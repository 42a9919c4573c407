"""The site's own parts: the reference is complete, tables and links are right."""

import importlib
import re
import sys

import gin
import pytest

import logan_tf
from logan_tf import quantities
from logan_tf.configuration import configurables, recipe, recipe_files
from logan_tf.installation import ROOT

EXTENSIONS = ROOT / "docs" / "_extensions"
PAGES = {
    page.name: page.read_text("utf-8") for page in ROOT.glob("docs/reference/*.md")
}
TEXT = "\n".join(PAGES.values())
OBJECTS = re.findall(r"^\.\. auto(?:class|function):: ([\w.]+)$", TEXT, re.M)
KERAS = [
    name
    for name in gin.config._REGISTRY._selector_map
    if name.startswith("keras.optimizers.")
]
OURS = [
    f"{registered.wrapped.__module__}.{registered.wrapped.__qualname__}"
    for name, registered in gin.config._REGISTRY.items()
    if registered.wrapped.__module__.startswith("logan_tf.")
]


@pytest.fixture
def extension(monkeypatch):
    """A module of the site's."""
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    yield importlib.import_module
    for path in EXTENSIONS.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_there_is_much_to_name():
    assert len(OURS) > 70
    assert len(KERAS) == 9
    assert configurables.__doc__


@pytest.mark.parametrize("name", OURS)
def test_what_recipes_can_name_is_documented(name):
    assert name in OBJECTS


@pytest.mark.parametrize("name", KERAS)
def test_so_are_keras_optimizers(name):
    assert f"`@{name}()`" in PAGES["training.md"]


@pytest.mark.parametrize("name", logan_tf.__all__)
def test_what_the_package_exports_is_documented(name):
    assert f"logan_tf.{name}" in PAGES["python.md"]


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_documented_exists(name):
    module, _, member = name.rpartition(".")
    assert getattr(importlib.import_module(module), member).__doc__


def test_every_table_is_shown_once(extension):
    shown = re.findall(r"^```\{from-code\} (\w+)$", TEXT, re.M)
    assert sorted(shown) == sorted(extension("tables").TABLES)


def test_recipes_are_all_in_the_table(extension):
    rows = extension("tables").recipes().splitlines()[2:]
    names = [re.match(r"\| `([\w/]+)` \|", row)[1] for row in rows]
    shipped = [
        path.relative_to(recipe_files.RECIPES).with_suffix("").as_posix()
        for path in recipe_files.RECIPES.rglob("*.gin")
        if path.parent.name != "parts"
    ]
    assert sorted(names) == sorted(shipped)
    (row,) = (row for row in rows if "`logan_cifar10`" in row)
    assert "| 200,000 | 64 | `TFDSImages` | `sngan.Generator` |" in row
    assert "published: FID 17.7" in row


def test_macros_are_all_in_the_tables(extension):
    tables = extension("tables")
    found = set().union(
        *(
            recipe.read([str(path)], [], []).macros()
            for path in tables.recipe_files_in("", "ablations")
        )
    )
    assert set(tables.MEANINGS) == found
    (row,) = (row for row in tables.knobs().splitlines() if "`precision`" in row)
    assert "`Experiment.precision`" in row
    assert "`'float32'` (run)" in row
    assert "`discriminator_width`" in tables.macros()


def test_metrics_are_all_in_the_tables(extension):
    tables = extension("tables")
    for shown, those in (
        (tables.evaluated(), quantities.EVALUATED),
        (tables.trained(), quantities.TRAINED),
    ):
        assert [f"`{each.name}`" in shown for each in those] == [True] * len(those)
        for row in shown.splitlines():
            assert len(re.findall(r"(?<!\\)\|", row)) == 5, row


@pytest.mark.parametrize(
    ("folder", "link", "expected"),
    [
        ("docs/guides", "../../benchmarks/README.md#xla", "/benchmarks.md#xla"),
        ("docs/guides", "gpu.md#xla", "/guides/gpu.md#xla"),
        ("docs/guides", "../../examples/serve.py", "../../examples/serve.py"),
        (".", "docs/architecture.md", "/architecture.md"),
        (".", "SECURITY.md", "/security.md"),
        ("benchmarks", "../docs/guides/gpu.md", "/guides/gpu.md"),
        (".", "https://x.org/SECURITY.md", "https://x.org/SECURITY.md"),
        ("docs", "#below", "#below"),
    ],
)
def test_links_lead_to_pages_of_the_site(folder, link, expected, extension):
    text = f"see [it]({link}), f(x)"
    assert (
        extension("outside").with_links(text, folder) == f"see [it]({expected}), f(x)"
    )


def test_docstrings_become_restructured_text(extension):
    lines = ["|f| `|g|`:", "", "    a * b", "", "Args:", "  x: of *y", "    more", ""]
    assert list(extension("docstrings").translated(lines)) == [
        "\\|f\\| `|g|`:",
        "",
        "::",
        "",
        "    a * b",
        "",
        "Args:",
        "  x: of \\*y",
        "    more",
        "",
    ]
