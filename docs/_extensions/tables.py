"""Recipes, macros and metrics as Markdown, from gin files and `quantities.py`."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from logan_tf import quantities
from logan_tf.configuration import recipe, recipe_files
from logan_tf.configuration.recipe_files import Macro
from logan_tf.quantities import Quantity

MEANINGS = {
    "total_steps": "updates of the generator",
    "batch_size": "images of an update, over all replicas",
    "accumulation": "micro-batches that an update is split into",
    "precision": "`'float32'`, or `'mixed_bfloat16'`: layers compute in bfloat16",
    "seed": "of weights and batches",
    "data_dir": "where the data is; None: TensorFlow Datasets' own folder",
    "log_every": "steps between two lines of metrics",
    "checkpoint_every": "steps between two checkpoints",
    "sample_every": "steps between two pictures of samples; 0: never",
    "evaluate_every": "steps between two evaluations; 0: never",
    "spectrum_every": "steps between two spectra of the game's Jacobian; 0: never",
    "evaluation_latent_steps": "latent steps before sampling",
    "standing_batches": "batches behind the standing statistics",
    "generator_rate": "Adam's learning rate for the generator",
    "discriminator_rate": "Adam's learning rate for the discriminator",
    "beta_1": "Adam's β₁, of both players",
    "beta_2": "Adam's β₂, of both players",
    "adam_epsilon": "Adam's ε, of both players",
    "image_size": "side of the pictures, in pixels",
    "channels": "of the pictures: 3, or 1 for gray",
    "width": "of the networks: the ch of their papers' tables",
    "discriminator_width": "the discriminator's own, where it is narrower",
    "latent_dim": "length of a latent",
    "num_classes": "classes; 0: not class-conditional",
    "embedding_dim": "length of a class's embedding",
    "slope": "of leaky ReLUs; 0: ReLU",
    "attention_size": "side of the feature map that attends to itself; None: none",
    "attention_samples": "samples whose attention is in memory at a time, recomputed "
    "instead of kept; None: all, and all are kept",
    "rematerialize": "True: blocks are computed again instead of kept; 3: up to third "
    "derivatives",
    "discriminator_steps": "updates of the discriminator for one of the generator",
    "average_decay": "of the averaged generator's weights",
    "average_start": "the step from which the generator is averaged",
    "flip": "whether training pictures are mirrored at random",
}
"""What each macro of the shipped recipes means."""


def recipes() -> str:
    """One row for each recipe: what its header says, steps, batch, data, networks."""
    rows = []
    for path in recipe_files_in("", "ablations"):
        read = recipe.read([str(path)], [], [])
        macros = read.macros()
        rows.append(
            (
                f"`{path.relative_to(recipe_files.RECIPES).with_suffix('')}`",
                header(path),
                f"{macros['total_steps']:,}",
                f"{macros['batch_size']:,}",
                _named(read, "Experiment.dataset"),
                _named(read, "Experiment.generator"),
            )
        )
    return table(("recipe", "what", "steps", "batch", "data", "generator"), rows)


def knobs() -> str:
    """The macros that every recipe has."""
    return _macros(recipe.KNOBS)


def macros() -> str:
    """The macros that only some recipes have."""
    return _macros([name for name in MEANINGS if name not in recipe.KNOBS])


def evaluated() -> str:
    """What evaluations measure."""
    return _quantities(quantities.EVALUATED)


def trained() -> str:
    """What a line of `metrics.jsonl` has."""
    return _quantities(quantities.TRAINED)


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table for table in (recipes, knobs, macros, evaluated, trained)
}


def recipe_files_in(*folders: str) -> Iterator[Path]:
    """The gin files of some folders below `gin/`; "" is that folder itself."""
    for folder in folders:
        yield from sorted((recipe_files.RECIPES / folder).glob("*.gin"))


def header(path: Path) -> str:
    """The first paragraph of a gin file's leading comment, on one line."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line[2:])
        if line.endswith("."):
            break
    return " ".join(lines).replace("|", r"\|")


def values_of(name: str) -> dict[str, list[str]]:
    """A macro's values as gin files write them → the files that do."""
    found: dict[str, list[str]] = {}
    statement = re.compile(rf"^{name} = (.*?)\s*(?:#.*)?$", re.M)
    for path in recipe_files_in("parts", "", "ablations"):
        for value in statement.findall(path.read_text("utf-8")):
            found.setdefault(value, []).append(path.stem)
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _macros(names: Sequence[str] | dict[str, Any]) -> str:
    rows = [
        (
            f"`{name}`",
            MEANINGS[name],
            _few([f"`{turned}`" for turned in _turned(name)]),
            "; ".join(
                f"`{value}` ({_few(files)})" for value, files in values_of(name).items()
            ),
        )
        for name in names
    ]
    return table(("macro", "meaning", "turns", "values in `gin/`"), rows)


def _few(names: Sequence[str]) -> str:
    return ", ".join([*names[:3], *(["…"] if names[3:] else [])])


def _turned(name: str) -> list[str]:
    """The parameters that some recipe or part binds to a macro."""
    found: dict[str, None] = {}
    for path in recipe_files_in("parts", ""):
        text = path.read_text("utf-8")
        found |= dict.fromkeys(re.findall(rf"^([\w./]+) = %{name}\b", text, re.M))
    return list(found)


def _quantities(of: Sequence[Quantity]) -> str:
    rows = [
        (
            f"`{each.name}`",
            each.axis.replace("|", r"\|"),
            each.better or "–",
            each.chart or each.group,
        )
        for each in of
    ]
    return table(("name", "what", "better", "stands with"), rows)


def _named(read: recipe.Recipe, parameter: str) -> str:
    """What a parameter names, without @ and ()."""
    value = read.value(parameter)
    text = str(value.name if isinstance(value, Macro) else value)
    return f"`{text.removeprefix('@').removesuffix('()')}`"
