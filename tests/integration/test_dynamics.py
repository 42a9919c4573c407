"""One line of gin switches any dynamics on over a recipe with latent optimization."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.cli.running import lifecycle
from logan_tf.configuration import bindings, recipe, recipe_files
from logan_tf.errors import ConfigurationError
from logan_tf.training.step import TrainStep

RING = str(recipe_files.RECIPES / "ring_logan.gin")
ALTERNATING = "Experiment.schedule = @Alternating()"
ANY_SCHEDULE = [
    "Plain",
    "SymplecticGradientAdjustment",
    "Consensus",
    "NagarajanKolter",
    "Unrolled",
    "Momentum",
    "JointGradientNorm",
]
ALL_AT_ONCE = [
    "Extragradient",
    "ExtrapolationFromThePast",
    "Optimistic",
    "CompetitiveGradientDescent",
    "FollowTheRidge",
]

ITERATED = ["CompetitiveGradientDescent", "FollowTheRidge"]


def build(*lines):
    bindings.apply(recipe.read([RING], ["batch_size = 8", *lines], []), [])
    return lifecycle.build().experiment


def trained(experiment):
    """The generator's variables after two steps, all of them finite."""
    step = TrainStep(experiment, tf.distribute.get_strategy())
    batches = iter(experiment.batches())
    for _ in range(2):  # Not as a graph: tracing one takes longer.
        assert np.isfinite(step.one_step(next(batches))).all()
    for player in ("discriminator", "generator"):
        for name in ("loss", "gradient_norm", "update_norm"):
            assert f"{player}_{name}" in step.metric_names
    found = [v.numpy() for v in experiment.game.variables("generator")]
    assert all(np.isfinite(value).all() for value in found)
    return np.concatenate([np.ravel(value) for value in found])


@pytest.fixture(scope="module")
def plain():
    return {lines: trained(build(*lines)) for lines in ((), (ALTERNATING,))}


@pytest.mark.parametrize("schedule", [(), (ALTERNATING,)])
@pytest.mark.parametrize("name", ANY_SCHEDULE + ALL_AT_ONCE)
def test_two_steps(name, schedule, plain):
    line = f"Experiment.dynamics = @{name}()"
    if schedule and name in ALL_AT_ONCE:
        with pytest.raises(ConfigurationError, match=f"{name} needs a schedule .*ous"):
            build(line, *schedule)
        return
    few = f"{name}.iterations = 1"
    lines = (line, few) if name in ITERATED else (line,)
    found = trained(build(*lines, *schedule))
    assert (found == plain[schedule]).all() == (name == "Plain")


def test_arguments_of_dynamics_are_bindings():
    lines = ("Momentum.beta = {'generator': -0.5}", "Experiment.dynamics = @Momentum()")
    assert build(*lines).dynamics.beta == {"generator": -0.5}
    with pytest.raises(ConfigurationError, match="weight must be 0 or more, not -1"):
        build("Consensus.weight = -1.0", "Experiment.dynamics = @Consensus()")


@pytest.mark.slow
def test_an_adaptive_schedule_is_alternating_where_the_loss_is_never_low():
    """Both as graphs; and where it is low at once the rest of a batch is not used."""
    small = ("mlp.Generator.hidden = (4,)", "mlp.Discriminator.hidden = (4,)")

    def run(*schedule):
        experiment = build(*schedule, "Game.latent_rule = None", *small)
        step = TrainStep(experiment, tf.distribute.get_strategy(), jit_compile=False)
        metrics = step.run(iter(experiment.batches()), 2)
        return metrics, experiment.game.variables("generator")

    def adaptive(threshold):
        return run(
            "Experiment.schedule = @Adaptive()",
            f"Adaptive.threshold = {threshold}",
            "Adaptive.most = 2",
        )

    expected, theirs = run(
        "Experiment.schedule = @Alternating()", "Alternating.discriminator_steps = 2"
    )
    found, mine = adaptive(-1.0)
    assert found.pop("discriminator_updates").tolist() == [2, 2]
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
    once, _ = adaptive(100.0)
    assert once["discriminator_updates"].tolist() == [1, 1]
