"""Every shipped recipe is built as it stands, at batch 2, and takes a step."""

import contextlib

import gin
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from logan_tf.cli.running import lifecycle
from logan_tf.configuration import bindings, recipe, recipe_files
from logan_tf.data.batch import Batch
from logan_tf.errors import ConfigurationError
from logan_tf.studies.study import SIZE, SMOKE
from logan_tf.training import cost
from logan_tf.training.step import TrainStep

ABLATIONS = sorted(recipe_files.RECIPES.glob("ablations/*.gin"))
PATHS = [*sorted(recipe_files.RECIPES.glob("*.gin")), *ABLATIONS]
SMALL = [path.stem for path in PATHS if path.match("biggan*_small*")]
# Above ten million parameters, and their data is not here.
LARGE = [
    path.stem
    for path in PATHS
    if path.stem.startswith(("biggan", "sagan", "images", "sngan_imagenet"))
    and path.stem not in SMALL
]
FILES = {path.stem: str(path) for path in PATHS}
# Others, alike but for a figure or two, take their step in `make test-slow`.
STEPPED = ("biggan_logan_small",)
ALIKE = (
    "csgan_cifar10",
    "sngan_cifar10",
    "mnist_logan",
    "fashion_mnist_logan",
    "stacked_mnist_gd",
    "stacked_mnist_baseline",
    "stacked_mnist_veegan",
)
WIDTHS = {
    "csgan_cifar10_original": (3_812_355, 2_944_066),
    "cifar10": (3_812_355, 2_935_873),
    "ring": (25_090, 513),
    "metz": (287_875, 585),
    "veegan": (4_514_819, 4_310_401),
}


def build(name: str, *params: str) -> lifecycle.Run:
    bindings.apply(recipe.read([FILES[name]], params, []), [])
    return lifecycle.build()


def stepping(names: list[str]) -> list:
    """BigGAN's steps take ten seconds and more each."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if is_alike(name) else [])
        for name in names
    ]


def is_alike(name: str) -> bool:
    return name in (*LARGE, *SMALL, *ALIKE) and name not in STEPPED


@pytest.mark.slow
@pytest.mark.parametrize("name", [p.stem for p in PATHS if is_alike(p.stem)])
def test_is_built(name, data_dir):
    data = [f"data_dir = {data_dir!r}"] if name in SMALL else []
    run = build(name, "width = 8", "batch_size = 16", *data)
    assert run.experiment.game.variables("generator")
    assert is_baseline(name) == (run.experiment.latent_optimizer is None)


@pytest.mark.parametrize(
    "name",
    [
        "biggan_logan_small",
        pytest.param("biggan_original_small", marks=pytest.mark.slow),
    ],
)
def test_is_built_at_the_studies_smallest_size(name, data_dir):
    run = build(name, *SIZE[SMOKE], f"data_dir = {data_dir!r}")
    assert run.experiment.game.variables("generator")


@pytest.mark.parametrize(
    "name", stepping([path.stem for path in PATHS if path.stem not in LARGE])
)
def test_builds_and_takes_a_step(name, data_dir, tmp_path):
    elsewhere = "cifar10" in name or "mnist" in name
    data = str(tmp_path) if elsewhere else data_dir
    mocked = tfds.testing.mock_data(4) if elsewhere else contextlib.nullcontext()
    with mocked:
        run = build(name, "batch_size = 2", "total_steps = 1", f"data_dir = {data!r}")
        experiment = run.experiment
        batch = next(iter(experiment.batches()))
        before = {
            player: [v.numpy() for v in experiment.game.variables(player)]
            for player in ("generator", "discriminator")
        }
        # Not as a graph: this is done once, and tracing takes longer.
        step = TrainStep(experiment, run.strategy)
        values = dict(zip(*_stepped(step, batch), strict=True))
    assert int(step.step) == 1
    assert all(np.isfinite(value) for value in values.values())
    assert (values["delta_z_norm"] > 0) == (experiment.latent_optimizer is not None)
    assert is_baseline(name) == (experiment.latent_optimizer is None)
    for player, old in before.items():
        for variable, value in zip(experiment.game.variables(player), old, strict=True):
            # A bias may have no gradient; attention starts with a gain of 0.
            still = "bias" in variable.path or "self_attention" in variable.path
            assert still or not np.array_equal(variable, value), variable.path
    sizes = [
        sum(value.size for value in before[player])
        for player in ("generator", "discriminator")
    ]
    expected = [WIDTHS[part] for part in WIDTHS if part in name]
    assert tuple(sizes) == (expected or [tuple(sizes)])[0]
    assert gin.query_parameter("batch_size/gin.macro.value") == 2


def is_baseline(name: str) -> bool:
    plain = ("biggan", "biggan_deep", "sagan", "sngan_cifar10", "sngan_imagenet")
    plain += ("stacked_mnist_metz", "stacked_mnist_veegan")
    if name.startswith("biggan") and "original" in name:
        return True
    return "baseline" in name or name in plain


def noise(spec: Batch) -> Batch:
    """A batch of these shapes; labels are 0."""
    generator = np.random.default_rng(0)
    return tf.nest.map_structure(
        lambda x: tf.cast(generator.uniform(size=x.shape), x.dtype), spec
    )


@pytest.mark.parametrize("name", stepping(LARGE))
def test_a_large_recipe_takes_a_step_at_width_8(name):
    run = build(name, "width = 8", "batch_size = 2", "accumulation = 1")
    experiment = run.experiment
    step = TrainStep(experiment, run.strategy)
    batch = noise(cost.batch_spec(experiment))
    values = dict(zip(*_stepped(step, batch), strict=True))
    assert all(np.isfinite(value) for value in values.values()), values
    assert is_baseline(name) == (values["delta_z_norm"] == 0)


def _stepped(step: TrainStep, batch) -> tuple[list[str], np.ndarray]:
    values = step.one_step(batch).numpy()
    return step.metric_names, values


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits_logan", ("DigitMetrics", 0.9, 0.1, 0.8, 1, 0.1)),
        ("stacked_digits_logan", ("DigitMetrics", 0.9, 0.1, 0.8, 1, 0.1)),
        ("stacked_digits_csgan", ("DigitMetrics", 0.01, None, 1.0, 3, 3.0)),
        ("mnist_logan", ("DigitMetrics", 0.9, 0.1, 0.8, 1, 0.1)),
        ("stacked_mnist_logan", ("DigitMetrics", 0.9, 0.1, 0.8, 1, 0.1)),
        ("stacked_mnist_gd", ("DigitMetrics", 0.01, None, 1.0, 3, 3.0)),
        ("logan_cifar10", ("ImageMetrics", 0.9, 0.1, 0.8, 1, 0.1)),
        ("csgan_cifar10", ("ImageMetrics", 0.01, None, 1.0, 3, 3.0)),
        pytest.param(
            "biggan_logan",
            ("ImageMetrics", 0.9, 5.0, 0.5, 1, 300.0),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "biggan_logan_gd",
            ("ImageMetrics", 1e-4, None, 0.5, 1, 300.0),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_papers_figures(name, expected):
    """LOGAN, Tables 4, 5; CS-GAN's public code: α, β, c, steps, w_r, by a step of g."""
    protocol, step_size, damping, fraction, num_steps, weight = expected
    run = build(name, *(["width = 8"] if name in LARGE else []))
    optimizer = run.experiment.latent_optimizer
    assert (optimizer.fraction, optimizer.num_steps) == (fraction, num_steps)
    assert optimizer.bounds == (-1.0, 1.0)
    assert run.experiment.game.latent_rule.regularizer_weight == weight
    gradient = np.array([[3.0, 4.0], [0.3, -0.4]])
    moved = step_size * gradient
    if damping:
        moved = moved / (damping + (gradient**2).sum(axis=1, keepdims=True))
    result = optimizer.step(tf.constant(gradient))
    np.testing.assert_allclose(result, moved, rtol=1e-12)
    found = run.evaluator.protocol
    assert (type(found).__name__ if found else None) == protocol


@pytest.mark.parametrize("name", ["ring_logan", "ring_logan_gd"])
def test_the_rings_figures(name):
    """Those for a small f: for small g both steps are 10 g, without a clip."""
    run = build(name)
    optimizer = run.experiment.latent_optimizer
    assert (optimizer.fraction, optimizer.num_steps) == (1.0, 1)
    assert optimizer.bounds is None
    assert run.experiment.game.latent_rule.regularizer_weight == 0
    result = optimizer.step(tf.constant([[3e-6, 4e-6]], tf.float64))
    np.testing.assert_allclose(result, [[3e-5, 4e-5]], rtol=1e-6)
    assert type(run.evaluator.protocol).__name__ == "PointsModes"


def test_the_first_order_ablation_stops_both_players():
    rule = build("stacked_digits_logan_first_order").experiment.game.latent_rule
    assert rule.stop_gradient == {"discriminator", "generator"}
    assert rule.stop_regularizer
    other = build("stacked_digits_logan").experiment.game.latent_rule
    assert (other.stop_gradient, other.stop_regularizer) == (frozenset(), False)


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_ablations_stop_whom_they_name(path):
    """Read, not built; the regularizer keeps its gradient."""
    read = recipe.read([str(path)], [], [])
    player = path.stem.rsplit("_", 1)[1]
    both = ("discriminator", "generator")
    assert read.value("LatentRule.stop_gradient") == (
        both if player == "both" else (player,)
    )
    with pytest.raises(ConfigurationError, match="stop_regularizer"):
        read.value("LatentRule.stop_regularizer")
