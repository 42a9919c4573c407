"""The remedy of a refused recipe, typed after it, is a recipe that is built."""

import re

import numpy as np
import pytest
from PIL import Image

from logan_tf.cli.running import lifecycle
from logan_tf.configuration import bindings, recipe
from logan_tf.data.preparation import folders, image_files, sources, writing
from logan_tf.errors import ConfigurationError

STATEMENT = r"[A-Za-z_.]+ = (?:@\w+\(\)|\[.*?\]|\d+|None)"
TYPED = rf"(?:set|add|write) ((?:{STATEMENT}|--gin_file=\S+)(?: and {STATEMENT})*)"

SMALL = "stacked_digits_logan"
CONDITIONAL = "biggan_logan_small"
REFUSED = {
    "gray networks for RGB": (SMALL, ["channels = 1"]),
    "other classes": (CONDITIONAL, ["num_classes = 7"]),
    "micro-batches of other dynamics": (
        SMALL,
        ["accumulation = 2", "Experiment.dynamics = @Consensus()"],
    ),
    "dynamics of all players": (
        SMALL,
        [
            "Experiment.schedule = @Alternating()",
            "Experiment.dynamics = @Extragradient()",
        ],
    ),
    "latent steps of a baseline": (
        "stacked_digits_baseline",
        ["evaluation_latent_steps = 1"],
    ),
}


def _build(name: str, params: list[str], more: str = "") -> None:
    bindings.apply(recipe.read([name, *([more] if more else [])], params, []), [])
    lifecycle.build()


def _see_that_the_remedy_works(name: str, params: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        _build(name, params)
    (typed,) = re.findall(TYPED, str(refusal.value))
    if typed.startswith("--gin_file="):
        _build(name, params, typed.removeprefix("--gin_file="))
    else:
        _build(name, [*params, *typed.split(" and ")])


SLOW = {"other classes"}  # 20 s of building; its siblings take 2.


@pytest.mark.parametrize(
    "fault",
    [pytest.param(f, marks=[pytest.mark.slow] if f in SLOW else []) for f in REFUSED],
)
def test_remedy(fault, data_dir):
    name, params = REFUSED[fault]
    own = ["width = 8", "batch_size = 4", f"data_dir = {data_dir!r}"]
    _see_that_the_remedy_works(name, [*own, *params])


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["image_size = 32", "channels = 1"])
def test_remedy_of_prepared_pictures(fault, tmp_path):
    for i in range(4):
        noise = np.random.default_rng(i).integers(0, 256, (20, 20, 3), np.uint8)
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(noise).save(tmp_path / "images" / f"{i}.png")
    (tmp_path / "out").mkdir()
    listing = folders.find(tmp_path / "images")
    source = sources.FolderSource(tmp_path / "images", listing, 16)
    with image_files.pixel_cap(image_files.MAX_PIXELS):
        writing.Preparation(source, tmp_path / "out", 16, 1).run(lambda *_: None)
    small = ["width = 8", "batch_size = 4", "accumulation = 1", "attention_size = 8"]
    small += ["image_size = 16", f"data_dir = {str(tmp_path / 'out')!r}"]
    if fault == "channels = 1":  # No fault: they are read as gray.
        _build("images_logan", [*small, fault])
    else:
        _see_that_the_remedy_works("images_logan", [*small, fault])
