"""Eq. 5 and 6: both players' gradients, through the latent step."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.game import DISCRIMINATOR, GENERATOR, PLAYERS, Game
from logan_tf.game.latent_rule import LatentRule

_GRADIENT_STEP = {"natural": False, "alpha": 0.5}


def _check_against_finite_differences(
    pair, round_, game, settings, plain_game, central_difference, evaluate, h
):
    """Each variable's gradient along a random direction."""
    plain = plain_game(pair, settings)
    losses = tf.function(lambda: plain.play(round_).losses)
    outcome = tf.function(partial(evaluate, game))(round_)
    rng = np.random.default_rng(5)
    for player in PLAYERS:
        scale = outcome.metrics[f"{player}_gradient_norm"]
        for variable, gradient in zip(
            game.variables(player), outcome.gradients[player], strict=True
        ):
            along = rng.normal(size=variable.shape)
            expected = central_difference(
                lambda player=player: losses()[player], [variable], [along], h
            )
            np.testing.assert_allclose(
                np.sum(gradient * along),
                expected,
                rtol=1e-5,
                atol=1e-6 * scale,
                err_msg=f"{player}: {variable.path}",
            )
        assert outcome.metrics[f"{player}_second_order_share"] > 0.02
    assert 0 < outcome.metrics["clipped_fraction"] < 1
    return outcome


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"objective": "non_saturating", **_GRADIENT_STEP},
        {"objective": "non_saturating", "num_steps": 2},
        _GRADIENT_STEP,
    ],
)
def test_smooth_networks(
    arguments,
    smooth,
    settings,
    plain_game,
    central_difference,
    assert_same_gradients,
    evaluate,
):
    pair, round_ = smooth
    settings = settings(**arguments)
    game = settings.game(pair)
    outcome = _check_against_finite_differences(
        pair, round_, game, settings, plain_game, central_difference, evaluate, 1e-6
    )
    plain = plain_game(pair, settings)
    assert_same_gradients(outcome.gradients, plain.gradients(round_))
    played = plain.play(round_)
    for player in PLAYERS:
        np.testing.assert_allclose(
            outcome.metrics[f"{player}_loss"], played.losses[player], 1e-10
        )
    for scores in (1 - played.real, 1 + played.fake):
        assert 0 < np.mean(scores > 0) < 1, "one side of the hinge is not tested"


def test_sngan(small_sngan, settings, plain_game, central_difference, evaluate):
    pair, round_ = small_sngan
    settings = settings(alpha=10.0, regularizer_weight=0.01)
    game = settings.game(pair)
    _check_against_finite_differences(
        pair, round_, game, settings, plain_game, central_difference, evaluate, 1e-7
    )


@pytest.mark.slow
def test_biggan_deep(small_biggan, settings, plain_game, central_difference, evaluate):
    """Conditional batch norm, attention and projection, twice differentiated.

    Each layer's own derivatives are compared in `tests/layers`, in a moment; here it is
    tracing that takes time.
    """
    pair, round_ = small_biggan
    settings = settings(alpha=20.0, regularizer_weight=0.1)
    _check_against_finite_differences(
        pair,
        round_,
        settings.game(pair),
        settings,
        plain_game,
        central_difference,
        evaluate,
        1e-7,
    )


@pytest.mark.parametrize("nothing", [{"alpha": 0.0}, {"fraction": 0.0}])
@pytest.mark.parametrize("natural", [True, False])
def test_no_step_is_the_baseline_bit_for_bit(
    nothing, natural, smooth, settings, evaluate
):
    pair, round_ = smooth
    found = evaluate(settings(natural=natural, **nothing).game(pair), round_)
    baseline = evaluate(Game(*pair), round_)
    for player in PLAYERS:
        for a, b in zip(
            found.gradients[player], baseline.gradients[player], strict=True
        ):
            np.testing.assert_array_equal(a, b)
        assert found.metrics[f"{player}_loss"] == baseline.metrics[f"{player}_loss"]
        assert found.metrics[f"{player}_second_order_share"] == 0


def test_baseline_is_the_ordinary_game(
    smooth, settings, plain_game, assert_same_gradients
):
    pair, round_ = smooth
    plain = plain_game(pair, settings(num_steps=0, regularizer_weight=0.0))
    outcome = Game(*pair).play(round_)
    assert_same_gradients(outcome.gradients, plain.gradients(round_))


@pytest.mark.parametrize("player", PLAYERS)
def test_one_player_alone_gets_the_same_gradient(player, smooth, settings):
    pair, round_ = smooth
    game = settings().game(pair)
    both, alone = game.play(round_), game.play(round_, [player])
    assert alone.gradients.keys() == {player}
    for a, b in zip(alone.gradients[player], both.gradients[player], strict=True):
        np.testing.assert_allclose(a, b, 1e-12)
    other = PLAYERS[1 - PLAYERS.index(player)]
    assert not [name for name in alone.metrics if name.startswith(other)]
    for name, value in alone.metrics.items():
        np.testing.assert_allclose(value, both.metrics[name], 1e-12, err_msg=name)


def test_generator_alone_needs_no_real_images(smooth, settings):
    pair, round_ = smooth
    without = round_._replace(images=round_.images * np.nan)
    outcome = settings().game(pair).play(without, [GENERATOR])
    assert all(np.all(np.isfinite(g)) for g in outcome.gradients[GENERATOR])
    assert "real_score" not in outcome.metrics


def test_regularizer_is_in_both_losses_of_the_masked_unclipped_step(
    smooth, settings, plain_game
):
    pair, round_ = smooth
    played = plain_game(pair, settings()).play(round_)
    delta = np.array(played.delta)
    assert np.all(delta[:, 4:] == 0)
    moved = np.array(played.latents - round_.latents)
    squares = (delta**2).sum(-1).mean()
    assert abs((moved**2).sum(-1).mean() / squares - 1) > 0.01, "no clip is tested"
    free = settings(regularizer_weight=0.0).game(pair).play(round_)
    paid = settings(regularizer_weight=2.5).game(pair).play(round_)
    np.testing.assert_allclose(paid.metrics["regularizer"], 2.5 * squares, 1e-10)
    assert free.metrics["regularizer"] == 0
    for player in PLAYERS:
        name = f"{player}_loss"
        difference = paid.metrics[name] - free.metrics[name]
        np.testing.assert_allclose(difference, 2.5 * squares, 1e-9)


def test_playing_changes_no_state(small_sngan, settings):
    pair, round_ = small_sngan
    variables = pair[0].variables + pair[1].variables
    before = [np.array(v) for v in variables]
    settings().game(pair).play(round_)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stop_gradient": ("critic",)}, "'critic'.*discriminator and generator"),
        ({"stop_gradient": DISCRIMINATOR}, "a tuple of players"),
        ({"regularizer_weight": -0.1}, "0 or more, not -0.1"),
    ],
)
def test_values_that_cannot_work(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        LatentRule(None, **arguments)
