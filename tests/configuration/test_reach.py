"""Which bindings are read, against gin's own record of a step that was taken."""

import gin
import pytest
import tensorflow as tf

from logan_tf.cli.running import lifecycle
from logan_tf.configuration import bindings, reach, recipe, recipe_files
from logan_tf.errors import ConfigurationError
from logan_tf.studies.catalogue import STUDIES
from logan_tf.training.step import TrainStep

SHIPPED = [
    str(path.relative_to(recipe_files.RECIPES))
    for path in sorted(recipe_files.RECIPES.rglob("*.gin"))
    if path.parent.name != "parts"
]
NGD = ("natural_gradient_step.step_size", "natural_gradient_step.damping")


def applied(*params: str, files=("ring_logan",), modules=()) -> str:
    given = ["total_steps = 3", *params]
    return bindings.apply(recipe.read(files, given, modules), modules)


def values(text: str) -> dict:
    """Parameter → its value, macros in place; by gin's shorter names."""
    found = reach.Reach(recipe.bindings_of(text))
    macros = {b.name: b.value for b in found.last if not b.parameter}
    return {
        b.name.replace("keras.optimizers.", ""): recipe.resolved(b.value, macros)
        for b in found.last
        if b.parameter
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_of_a_shipped_recipe_all_is_read_and_what_is_operative_says_the_same(
    name, tmp_path
):
    config = applied(files=[name])
    assert reach.unread(config) == []
    said, text = values(config), reach.operative(config)
    assert {k: v for k, v in values(text).items() if k in said} == said
    path = tmp_path / "operative_config.gin"
    path.write_text(text)
    again = bindings.apply(recipe.read([str(path)], [], []), [])
    assert reach.operative(again) == text


@pytest.mark.parametrize(
    "params",
    [
        (),
        ("Game.latent_rule = None",),
        (
            "LatentOptimizer.step = @gradient_step",
            "gradient_step.step_size = 0.1",
            "Experiment.dynamics = @Consensus()",
            "Game.penalties = [@Orthogonality()]",
            "Experiment.schedule = @Simultaneous()",
        ),
        (
            "rate = @PolynomialDecay()",
            "generator/Adam.learning_rate = %rate",
            "discriminator/Adam.learning_rate = @PolynomialDecay()",
            "PolynomialDecay.initial_learning_rate = 1e-4",
            "rate/PolynomialDecay.decay_steps = 10",
            "discriminator/PolynomialDecay.decay_steps = 20",
            "Experiment.schedule = @Alternating()",
        ),
        (
            "LatentRule.optimizer = @LatentPenalty()",
            "LatentPenalty.step = @root_of_natural_gradient_step",
            "root_of_natural_gradient_step.step_size = 0.5",
            "root_of_natural_gradient_step.damping = 0.5",
            "evaluation_latent_steps = 0",
        ),
    ],
    ids=["ngd", "baseline", "gd and consensus", "schedules", "penalty"],
)
def test_gin_calls_while_a_step_is_taken_what_was_foreseen(params):
    """gin's record lacks what is called later; this has no more than the trainer."""
    sizes = ("batch_size = 2", "latent_dim = 2", "mlp.Generator.hidden = (2,)")
    config = applied("mlp.Discriminator.hidden = (2,)", *sizes, *params)
    run = lifecycle.build()
    step = TrainStep(run.experiment, tf.distribute.get_strategy())
    step.one_step(next(iter(run.experiment.batches())))
    called, foreseen = (
        values(gin.operative_config_str()),
        values(reach.operative(config)),
    )
    assert called.items() <= foreseen.items()
    others = foreseen.keys() - called.keys()
    assert {name.split(".")[0] for name in others} == {"Trainer"}


def test_the_methods_own_parameters_are_there():
    text = reach.operative(applied())
    assert {name: values(text)[name] for name in NGD} == dict(
        zip(NGD, (0.1, 0.01), strict=True)
    )
    for absent in ("gradient_step.step_size", "Alternating.discriminator_steps"):
        assert absent not in values(text)


def test_what_a_scoped_object_names_is_called_in_its_scope_or_in_none():
    """While a step is traced nobody is in the scope that the object was made in."""
    text = reach.operative(
        applied(
            "LatentRule.optimizer = @a/LatentOptimizer()",
            "a/LatentOptimizer.num_steps = 2",
            "a/natural_gradient_step.damping = 3.0",
        )
    )
    found = values(text)
    assert found["a/LatentOptimizer.num_steps"] == 2
    assert found["a/LatentOptimizer.fraction"] == 1.0  # Of no scope, and inherited.
    assert "LatentOptimizer.fraction" not in found
    assert found["natural_gradient_step.damping"] == 0.01
    assert found["a/natural_gradient_step.damping"] == 3.0


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            ["foo/LatentOptimizer.fraction = 0.5"],
            "reads foo/LatentOptimizer.fraction: write LatentOptimizer.fraction",
        ),
        (
            ["generatr/Adam.beta_1 = 0.5"],
            "nothing reads generatr/Adam.beta_1: write discriminator/Adam.beta_1 or "
            "generator/Adam.beta_1",
        ),
        (
            ["keras.optimizers.Adam.learning_rate = 0.1"],
            "nothing reads keras.optimizers.Adam.learning_rate: write discriminator/",
        ),
        (
            ["SGD.learning_rate = 0.1"],
            "the recipe does not use SGD; leave it out, or name @SGD where it belongs",
        ),
        (["gradient_step.step_size = 0.1"], "does not use gradient_step"),
        (
            ["Game.latent_rule = None", "LatentOptimizer.fraction = 0.5"],
            "the recipe does not use LatentOptimizer",
        ),
        (["rate = 0.1", "SGD.learning_rate = %rate"], "nothing reads rate: leave it"),
        (["Trainer.sample = @hinge"], "nothing reads Trainer.sample"),
    ],
)
def test_what_the_command_line_says_in_vain_is_refused(params, expected):
    with pytest.raises(ConfigurationError) as caught:
        applied(*params)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("--gin_param, line ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "params",
    [
        ("Adam.amsgrad = True",),
        ("Adam.amsgrad = True", "generator/Adam.amsgrad = False"),
        ("data_dir = 'unused'",),
        (
            "foo/ExponentialMovingAverage.decay = 0.5",
            "Experiment.averaging = %average",
            "average = @foo/ExponentialMovingAverage()",
        ),
    ],
)
def test_what_is_read_somewhere_is_let_pass(params):
    applied(*params)


def test_what_files_say_in_vain_is_named(tmp_path, command):
    path = tmp_path / "mine.gin"
    path.write_text(
        "include 'ring_logan.gin'\ntotal_steps = 1\nbatch_size = 2\n"
        "foo/LatentOptimizer.fraction = 0.5\nAdam.beta_1 = 0.9\n"
    )
    done = command("train", f"--gin_file={path}", "--dry_run")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out.splitlines()[0] == (
        "nothing reads these of the configuration: Adam.beta_1, "
        "foo/LatentOptimizer.fraction"
    )


MODULE = """
import gin

@gin.configurable(module="calls_by_itself")
def width(value=1):
    return value

@gin.configurable(module="calls_by_itself")
def prior(shape, seed):
    return gin.get_configurable("uniform_prior")(shape, seed) * width()
"""


def test_a_module_of_the_users_may_read_what_nothing_else_does(tmp_path, monkeypatch):
    (tmp_path / "calls_by_itself.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    params = ("width.value = 3", "some/normal_prior.shape = (3,)")
    config = applied(*params, modules=["calls_by_itself"])
    assert reach.unread(config) == ["some/normal_prior.shape"]
    assert "width.value = 3" in reach.operative(config)
    assert reach.operative(config).startswith("import calls_by_itself\n")


def test_no_study_says_anything_in_vain():
    seen = set()
    for study in STUDIES.values():
        for arm in study.arms:
            given = (arm.recipe, *study.size["smoke"], *arm.params)
            if not arm.point and given not in seen:  # Of a search one is like another.
                applied(*given[1:], files=[arm.recipe])
            seen.add(given)
    assert len(seen) > 20
