"""Each variant is the game that its name says, on the same networks."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.benchmarks import steps, timing, variants
from logan_tf.errors import ConfigurationError
from logan_tf.game.game import PLAYERS, Game
from logan_tf.game.round import Round


def _gradients(game: Game, experiment):
    return game.play(Round.of(variants.noise(experiment), 0)).gradients


def test_baseline_and_natural_step_are_the_recipes_own(small_sngan):
    experiment = small_sngan()
    own, plain = experiment.game, Game(experiment.generator, experiment.discriminator)
    for name, game in (("ngd", own), ("baseline", plain)):
        found = _gradients(variants.of(experiment, name).game, experiment)
        expected = _gradients(game, experiment)
        for player in PLAYERS:
            for a, b in zip(found[player], expected[player], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "stops", "regularizer"),
    [
        ("gd", (), False),
        ("ngd_stop_discriminator", ("discriminator",), False),
        ("ngd_stop_generator", ("generator",), False),
        ("ngd_stop_both", PLAYERS, False),
        ("ngd_first_order", PLAYERS, True),
    ],
)
def test_stops(name, stops, regularizer, small_sngan):
    experiment = small_sngan()
    rule = variants.of(experiment, name).game.latent_rule
    assert rule.stop_gradient == frozenset(stops)
    assert rule.stop_regularizer is regularizer
    assert rule.regularizer_weight == experiment.game.latent_rule.regularizer_weight
    g = tf.constant([[3.0, 4.0]])
    step = rule.optimizer.step(g).numpy()
    expected = 0.01 * g if name == "gd" else 0.9 * g / (0.1 + 25)
    np.testing.assert_allclose(step, expected, rtol=1e-6)
    assert rule.optimizer.fraction == 0.8


def test_a_recipe_without_a_latent_step_gets_the_papers(small_sngan):
    rule = variants.of(small_sngan(game=Game), "ngd").game.latent_rule
    assert rule.optimizer.num_steps == 1
    assert rule.optimizer.bounds == (-1.0, 1.0)
    assert rule.regularizer_weight == 0.1


def test_unknown_variants():
    variants.check(variants.NAMES)
    with pytest.raises(
        ConfigurationError, match=r"no variant 'sgd': choose among base"
    ):
        variants.check(["ngd", "sgd"])


def test_all_variants_are_timed_in_turn(small_sngan):
    ticks = []
    found = steps.time_steps(
        small_sngan(),
        tf.distribute.get_strategy(),
        ["baseline", "ngd_first_order"],
        repeats=2,
        jit_compile=False,
        tick=lambda: ticks.append(1),
    )
    assert list(found) == ["baseline", "ngd_first_order"]
    assert len(ticks) == 2 * 3
    for measured in found.values():
        seconds = measured["seconds"]
        assert 0 < seconds["low"] <= seconds["median"] <= seconds["high"] < 5
        assert seconds["repeats"] == 2
        speed = measured["images_per_second"] * seconds["median"]
        np.testing.assert_allclose(speed, 4)


def test_medians_and_quartiles():
    measured = timing.Timing.of([5.0, 1.0, 2.0, 4.0, 3.0])
    assert measured == (3.0, 2.0, 4.0, 5)
    assert measured.per(2) == (1.5, 1.0, 2.0, 5)
    assert timing.Timing.of([7.0]) == (7.0, 7.0, 7.0, 1)


def test_interleaving():
    """The first call of each is not counted."""
    calls = []
    found = timing.interleaved(
        {name: lambda name=name: calls.append(name) for name in "ab"}, 2, lambda: None
    )
    assert "".join(calls) == "ababab"
    assert found["a"].repeats == 2
