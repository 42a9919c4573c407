"""Fig. 5b: Δz as a constant, for each player separately."""

import numpy as np
import pytest

from logan_tf.game.game import DISCRIMINATOR, GENERATOR, PLAYERS, Game


@pytest.mark.parametrize("stop_regularizer", [False, True])
@pytest.mark.parametrize("stopped", [(DISCRIMINATOR,), (GENERATOR,), PLAYERS])
def test_stop_is_that_of_one_tape(
    stopped,
    stop_regularizer,
    smooth,
    settings,
    plain_game,
    assert_same_gradients,
    evaluate,
):
    pair, round_ = smooth
    settings = settings(stop_gradient=stopped, stop_regularizer=stop_regularizer)
    outcome = evaluate(settings.game(pair), round_)
    expected = plain_game(pair, settings).gradients(round_)
    assert_same_gradients(outcome.gradients, expected)
    for player in stopped:
        share = outcome.metrics[f"{player}_second_order_share"]
        assert (share == 0) == stop_regularizer


@pytest.mark.parametrize("stopped", PLAYERS)
def test_stop_changes_only_that_player_and_no_loss(stopped, smooth, settings):
    pair, round_ = smooth
    whole = settings().game(pair).play(round_)
    ablated = settings(stop_gradient=(stopped,)).game(pair).play(round_)
    for player in PLAYERS:
        differences = [
            np.abs(a - b).max()
            for a, b in zip(
                ablated.gradients[player], whole.gradients[player], strict=True
            )
        ]
        assert (max(differences) > 1e-3) == (player == stopped)
        if player != stopped:
            assert max(differences) == 0
        name = f"{player}_loss"
        assert ablated.metrics[name] == whole.metrics[name]


def test_flag_alone_stops_nothing(smooth, settings):
    pair, round_ = smooth
    whole = settings().game(pair).play(round_)
    flagged = settings(stop_regularizer=True).game(pair).play(round_)
    for player in PLAYERS:
        for a, b in zip(
            flagged.gradients[player], whole.gradients[player], strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_both_stopped_is_the_baseline_at_the_moved_latents(
    smooth, settings, plain_game, assert_same_gradients
):
    pair, round_ = smooth
    stopped = settings(stop_gradient=PLAYERS, stop_regularizer=True)
    found = stopped.game(pair).play(round_)
    moved = plain_game(pair, settings()).play(round_).latents
    baseline = Game(*pair).play(round_._replace(latents=moved))
    assert_same_gradients(found.gradients, baseline.gradients)
