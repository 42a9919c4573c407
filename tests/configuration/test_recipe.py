"""What is found in a gin file before TensorFlow is imported or gin sees it."""

import subprocess
import sys
from pathlib import Path

import pytest

from logan_tf.configuration import recipe, recipe_files
from logan_tf.configuration.recipe import GinReference, Macro
from logan_tf.errors import ConfigurationError

USED = "Experiment.batch_size = %batch_size\nTrainer.total_steps = %total_steps\n"


@pytest.fixture
def refusal(tmp_path):
    """text (and more files) → the one line with which reading it is refused."""

    def read(text: str | bytes, params=(), modules=(), **others: str) -> str:
        path = tmp_path / "mine.gin"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        for name, contents in others.items():
            (tmp_path / f"{name}.gin").write_text(contents)
        with pytest.raises(ConfigurationError) as caught:
            recipe.read([str(path)], params, modules)
        line = str(caught.value)
        assert len(line.splitlines()) == 1
        return line

    return read


def test_reads_what_files_includes_and_parameters_say_in_their_order(tmp_path):
    (tmp_path / "part.gin").write_text(USED + "batch_size = 1\ntotal_steps = %later\n")
    main = tmp_path / "main.gin"
    main.write_text(
        "include 'part.gin'\nbatch_size = 2\nlater = 5\n"
        "a/Adam.rate = (%later, @b/other(), @other)\n"
    )
    read = recipe.read([str(main)], ["batch_size = 3"], [])
    assert read.files == [main]
    assert read.macros() == {"batch_size": 3, "total_steps": Macro("later"), "later": 5}
    binding = next(b for b in read.bindings if b.selector == "Adam")
    assert (binding.scope, binding.parameter) == ("a", "rate")
    assert binding.name == "a/Adam.rate"
    assert binding.where == f"{main}, line 4"
    assert binding.value == (
        Macro("later"),
        GinReference("b/other", True),
        GinReference("other", False),
    )
    assert list(recipe.references({"k": [binding.value]})) == list(binding.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # Python's tokenizer names the last line, from 3.12 on the first.
        ("a = (1,", 1 if sys.version_info >= (3, 12) else 2),
        ("a = ", 1),
        ("a = 1\n= 3", 2),
        ("a.b.c", 1),
        ("x = 'abc", 1),
        ('x = """abc', 1),
        ("a = foo", 1),
        ("include", 1),
        ("import 5", 1),
        ("a = 1 b = 2", 1),
        ("\n\na = @foo(1)", 3),
        ("a = 1;b=2", 1),
    ],
)
def test_a_syntax_error_has_its_line(refusal, text, line):
    assert f"mine.gin, line {line}: " in refusal(text)


def test_what_is_no_literal_or_no_text_is_refused(refusal, tmp_path):
    assert "mine.gin: unhashable type" in refusal("a = {[]: 1}")
    assert "UTF-8" in refusal(b"a = 1\xff")
    assert "'quick'" in refusal("batch_size = quick")
    assert "--gin_param, line 2: " in refusal(USED, ["seed = 1", "seed = "])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("totl_steps = 5\n", ["line 3", "'totl_steps'", "did you mean 'total_steps'?"]),
        ("wibble = 5\n", ["line 3", "nothing uses 'wibble'"]),
        ("Adam.rate = %batchsize\n", ["%batchsize has no value", "'batch_size'"]),
        ("Adam.rate = [(%zzz,)]\n", ["%zzz has no value", "--gin_param='zzz = …'"]),
        ("Adam.rate = %a\na = %b\nb = (1, %a)\n", ["%a is defined by itself"]),
        ("Adam.rate = %a\na = %a\n", ["%a is defined by itself"]),
        ("total_steps = 'ten'\n", ["total_steps must be int, not 'ten'"]),
        ("total_steps = 1e3\n", ["total_steps must be int, not 1000.0"]),
        ("log_every = True\n", ["log_every must be int, not True"]),
        ("total_steps = None\n", ["total_steps must be int, not None"]),
        ("data_dir = 5\n", ["data_dir must be str or None, not 5"]),
        ("total_steps = @Adam()\n", ["total_steps must be int"]),
    ],
)
def test_mistakes_in_macros_that_gin_lets_pass(refusal, text, parts):
    line = refusal(USED.replace("%batch_size", "2").replace("%total_steps", "3") + text)
    for part in parts:
        assert part in line


def test_knobs_may_stay_unused_and_data_dir_may_be_none(tmp_path):
    path = tmp_path / "mine.gin"
    path.write_text("seed = 5\ndata_dir = None\nlog_every = 1\n")
    assert recipe.read([str(path)], [], []).macros()["seed"] == 5


def test_includes_that_are_missing_or_go_round_in_circles(refusal):
    line = refusal("include 'parts/runn.gin'\n")
    assert "mine.gin, line 1" in line
    assert "did you mean 'parts/run.gin'?" in line
    assert "mine.gin includes itself" in refusal("include 'mine.gin'")
    line = refusal(
        "include 'one.gin'", one="include 'two.gin'", two="include 'mine.gin'"
    )
    assert "includes itself" in line


def test_an_include_lies_beside_the_file_that_includes_it(tmp_path, monkeypatch):
    """Two folders down, seen from elsewhere."""
    folder = tmp_path / "mine" / "sub" / "deeper"
    folder.mkdir(parents=True)
    (tmp_path / "mine" / "main.gin").write_text("include 'sub/one.gin'\n")
    (folder.parent / "one.gin").write_text("include 'deeper/two.gin'\n")
    (folder / "two.gin").write_text("include 'three.gin'\n")
    (folder / "three.gin").write_text("seed = 3\n")
    monkeypatch.chdir(folder.parent.parent.parent)
    (read,) = recipe.read([str(tmp_path / "mine" / "main.gin")], [], []).bindings
    assert (read.name, read.value) == ("seed", 3)
    assert read.where == f"{folder / 'three.gin'}, line 1"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    """Of the recipe and of what it includes, and no later one is swallowed."""
    mark = b"\xef\xbb\xbf"
    (tmp_path / "part.gin").write_bytes(mark + b"seed = 3\n")
    (tmp_path / "main.gin").write_bytes(mark + b"include 'part.gin'\nseed = 4\n")
    read = recipe.read([str(tmp_path / "main.gin")], [], [])
    assert [binding.value for binding in read.bindings] == [3, 4]
    (tmp_path / "main.gin").write_bytes(b"seed = 4\n" + mark + b"seed = 5\n")
    with pytest.raises(ConfigurationError, match=r"main\.gin, line 2"):
        recipe.read([str(tmp_path / "main.gin")], [], [])


def test_a_file_without_an_end_is_refused(refusal):
    assert "more than 1,048,576 bytes" in refusal("seed = 1\n" + 2**20 * "#")


def test_a_file_may_be_included_twice(tmp_path):
    for name, text in {
        "mine": "include 'a.gin'\ninclude 'b.gin'\n",
        "a": "include 'c.gin'",
        "b": "include 'c.gin'",
        "c": "seed = 1",
    }.items():
        (tmp_path / f"{name}.gin").write_text(text)
    assert len(recipe.read([str(tmp_path / "mine.gin")], [], []).bindings) == 2


def test_a_module_that_was_not_named_is_refused_and_not_executed(
    refusal, tmp_path, monkeypatch
):
    (tmp_path / "evil.py").write_text("open('executed', 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for text in ("import evil\n", "include 'part.gin'\n", "import os\nimport evil\n"):
        line = refusal(text, modules=["os"], part="import evil")
        assert "'evil'" in line
        assert "--module=evil" in line
    path = tmp_path / "mine.gin"
    path.write_text("import evil\n")
    recipe.read([str(path)], [], ["evil"])
    assert not (tmp_path / "executed").exists()
    assert "evil" not in sys.modules


def test_recipes_are_found_by_path_name_and_stem(tmp_path, monkeypatch):
    shipped = recipe_files.RECIPES / "ring_logan.gin"
    assert recipe_files.find(str(shipped)) == shipped
    assert recipe_files.find("ring_logan.gin") == shipped
    assert recipe_files.find("ring_logan") == shipped
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ring_logan.gin").write_text("")
    assert recipe_files.find("ring_logan.gin") == Path("ring_logan.gin")
    with pytest.raises(ConfigurationError, match=r"did you mean 'ring_logan\.gin'\?"):
        recipe_files.find("gin/ring_logn.gin")
    with pytest.raises(ConfigurationError, match="mean 'ablations/biggan_logan_stop_b"):
        recipe_files.find("biggan_logan_stop_both")
    with pytest.raises(ConfigurationError, match="there is no gin file '/'"):
        recipe_files.find("/")


@pytest.mark.parametrize(
    "path", sorted(recipe_files.RECIPES.glob("*.gin")), ids=lambda p: p.stem
)
def test_shipped_recipes_are_read_and_have_every_knob(path):
    macros = recipe.read([str(path)], [], []).macros()
    # The remedy for a training that runs away names the rates.
    rates = {"generator_rate", "discriminator_rate"}
    assert {*recipe.KNOBS, *rates} <= set(macros)
    assert path.read_text().startswith("# ")


def test_reading_imports_no_tensorflow():
    code = (
        "import sys; from logan_tf.cli import app, COMMAND;"
        "from logan_tf.configuration import recipe;"
        "recipe.read(['ring_logan'], [], []);"
        "sys.exit(any(n in sys.modules for n in ('tensorflow', 'keras')))"
    )
    for name in ("train", "sample", "evaluate"):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("COMMAND", name)],
            cwd=recipe_files.RECIPES.parent,
        )
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Game.regularizer_weight = 0.1", "LatentRule.regularizer_weight = 0.1"),
        ("Game.stop_gradient = ('generator',)", "LatentRule.stop_gradient = ()"),
        ("Game.stop_regularizer = True", "LatentRule.stop_regularizer = True"),
        ("game.Game.latent_optimizer = None", "Game.latent_rule = None"),
        (
            "Game.latent_optimizer = @LatentOptimizer()",
            "Game.latent_rule = @LatentRule()",
        ),
        ("Game.orthogonality_weight = 1e-4", "Game.penalties = [@Orthogonality()]"),
    ],
)
def test_bindings_of_version_0_1_name_the_new_ones(old, new):
    with pytest.raises(ConfigurationError) as caught:
        recipe.read(["ring_logan"], [old], [])
    line = str(caught.value)
    assert line.startswith("--gin_param, line 1: Game.")
    assert new.split(" = ")[0] in line
    assert "logan_tf 0.1, which reads it" in line
    recipe.read(["ring_logan"], [new], [])
