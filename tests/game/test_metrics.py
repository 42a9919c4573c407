"""What `Game.play` reports, against definitions computed by other means."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.game import DISCRIMINATOR, GENERATOR, PLAYERS, Game
from logan_tf.game.latent_rule import LatentRule


@pytest.fixture
def played(smooth, settings, plain_game):
    """(pair, round, game, the plain game's quantities) with every event occurring."""
    pair, round_ = smooth
    settings = settings(natural=False, alpha=2.0)
    return pair, round_, settings.game(pair), plain_game(pair, settings).play(round_)


def _norm(tensors):
    return np.sqrt(sum(np.sum(np.square(t)) for t in tensors))


def test_second_order_share(smooth, settings, plain_game, evaluate):
    """The norm of what is missing when Δz and R_z are constants, of the whole."""
    pair, round_ = smooth
    metrics = evaluate(settings().game(pair), round_).metrics
    total = plain_game(pair, settings()).gradients(round_)
    stopped = settings(stop_gradient=PLAYERS, stop_regularizer=True)
    direct = plain_game(pair, stopped).gradients(round_)
    for player in PLAYERS:
        missing = [a - b for a, b in zip(total[player], direct[player], strict=True)]
        share = _norm(missing) / _norm(total[player])
        assert share > 0.01
        np.testing.assert_allclose(metrics[f"{player}_second_order_share"], share, 1e-6)
        np.testing.assert_allclose(
            metrics[f"{player}_gradient_norm"], _norm(total[player]), 1e-9
        )


def test_norm_gain_scores_and_clipped_share(played):
    _, round_, game, plain = played
    metrics = game.play(round_).metrics
    norms = np.sqrt((np.array(plain.delta) ** 2).sum(-1))
    gains = np.array(plain.fake) - np.array(plain.before)
    assert gains.min() < 0 < gains.max()  # or the absolute value says nothing new
    beyond = np.abs(np.array(round_.latents + plain.delta)[:, :4]) >= 1
    assert 0 < beyond.mean() < 1
    for name, expected in {
        "delta_z_norm": norms.mean(),
        "score_gain": gains.mean(),
        "absolute_score_gain": np.abs(gains).mean(),
        "clipped_fraction": beyond.mean(),
        "real_score": np.mean(plain.real),
        "fake_score": np.mean(plain.fake),
    }.items():
        np.testing.assert_allclose(metrics[name], expected, 1e-6, err_msg=name)


def _overshoot(pair, plain):
    """The share of samples whose score falls as they go on along Δz from z'."""
    h = 1e-5
    falls = []
    for i in range(plain.delta.shape[0]):
        direction = np.zeros(plain.delta.shape)
        direction[i] = plain.delta[i]
        # The sum, since batch norm couples the samples.
        up, down = (
            np.sum(pair[1](pair[0](plain.latents + sign * h * direction)))
            for sign in (1, -1)
        )
        falls.append(up < down)
    return np.mean(falls)


@pytest.mark.parametrize("players", [PLAYERS, PLAYERS[::-1], (GENERATOR,)])
def test_overshoot_fraction(players, played):
    pair, round_, game, plain = played
    expected = _overshoot(pair, plain)
    assert 0 < expected < 1
    metrics = game.play(round_, players).metrics
    np.testing.assert_allclose(metrics["overshoot_fraction"], expected, 1e-6)


def test_without_latent_optimizer_nothing_moves(smooth, evaluate):
    pair, round_ = smooth
    game = Game(*pair, latent_rule=LatentRule(None, 1.0))
    metrics = evaluate(game, round_).metrics
    for name in (
        "delta_z_norm",
        "score_gain",
        "absolute_score_gain",
        "clipped_fraction",
        "regularizer",
        "overshoot_fraction",
        f"{DISCRIMINATOR}_second_order_share",
    ):
        assert metrics[name] == 0, name


def test_without_bounds_nothing_is_clipped(smooth, settings):
    pair, round_ = smooth
    game = settings(natural=False, alpha=2.0).game(pair)
    game.latent_rule.optimizer.bounds = None
    metrics = game.play(round_).metrics
    assert metrics["clipped_fraction"] == 0
    assert metrics["delta_z_norm"] > 0


def test_an_unknown_batch_size_gives_the_same_metrics(played):
    _, round_, game, _ = played
    signature = [
        tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in round_[:4]
    ]
    play = tf.function(
        lambda *round_of: game.play(type(round_)(*round_of)).metrics,
        input_signature=signature,
    )
    expected = game.play(round_).metrics
    for name, value in play(*round_[:4]).items():
        np.testing.assert_allclose(value, expected[name], 1e-6, err_msg=name)


def test_labels_reach_the_networks_they_belong_to(smooth):
    """Real labels go with real images, fake labels with latents."""
    seen = []

    class _Spy(keras.layers.Layer):
        def __init__(self, network, name):
            super().__init__()
            self.network, self.label = network, name

        def __call__(self, inputs, labels, **kwargs):
            seen.append((self.label, int(labels[0])))
            return self.network(inputs, **kwargs)

    pair, round_ = smooth
    spies = _Spy(pair[0], "G"), _Spy(pair[1], "D")
    labels, fake_labels = (tf.fill(len(round_.labels), n) for n in (1, 2))
    Game(*spies).play(round_._replace(labels=labels, fake_labels=fake_labels))
    assert seen == [("G", 2), ("D", 2), ("D", 1)]
