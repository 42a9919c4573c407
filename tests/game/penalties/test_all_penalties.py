"""One test over all penalties: values in NumPy, gradients by differences."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game import noise, weights
from logan_tf.game.game import Game
from logan_tf.game.penalties.consistency import BalancedConsistency
from logan_tf.game.penalties.dragan import Dragan
from logan_tf.game.penalties.feature_matching import FeatureMatching
from logan_tf.game.penalties.historical_averaging import HistoricalAveraging
from logan_tf.game.penalties.lecam import LeCam
from logan_tf.game.penalties.orthogonality import Orthogonality
from logan_tf.game.penalties.pulling_away import PullingAway
from logan_tf.game.penalties.wgan_gp import WganGp
from logan_tf.game.penalties.zero_centred import R1, R2
from logan_tf.game.weights import PLAYERS

REAL_MEAN, FAKE_MEAN = 0.4, -0.3


class Shifted:
    """An augmentation of points: each by its own draws."""

    num_draws = 3

    def __call__(self, images, draws):
        return images + draws


ALL = {
    "wgan_gp": lambda: WganGp(0.7),
    "wgan_gp_one_sided": lambda: WganGp(0.7, one_sided=True),
    "dragan_flat": lambda: Dragan(0.7, "flat"),
    "dragan_below": lambda: Dragan(0.7, "below", target=0.5),
    "dragan_at": lambda: Dragan(0.7, "at", target=0.5),
    "r1": lambda: R1(0.7),
    "r2": lambda: R2(0.7),
    "lecam": lambda: LeCam(0.7),
    "lecam_clipped": lambda: LeCam(0.7, clipped=True),
    "consistency": lambda: BalancedConsistency(0.7, 0.4, Shifted()),
    "orthogonality": lambda: Orthogonality(0.7),
    "feature_matching": lambda: FeatureMatching(0.7),
    "pulling_away": lambda: PullingAway(0.7),
    "history": lambda: HistoricalAveraging(0.7, "generator"),
}
every = pytest.mark.parametrize("name", ALL)


def made(name, pair):
    """A penalty, whose averages are not neutral."""
    penalty = ALL[name]()
    penalty.build(dict(zip(("generator", "discriminator"), pair, strict=True)), (3,))
    if name == "history":
        for variable in penalty.variables:
            variable.assign(tf.fill(variable.shape, tf.cast(0.5, variable.dtype)))
        penalty.variables[-1].assign(4.0)
        return penalty
    for variable, value in zip(penalty.variables, (REAL_MEAN, FAKE_MEAN), strict=False):
        variable.assign(value)
    return penalty


class Seen:
    """What a penalty may look at, in NumPy."""

    def __init__(self, pair, game, round_):
        self.discriminator = pair[1]
        moved = game._move(round_).latents
        self.real = np.array(round_.images)
        self.fake = np.array(pair[0](moved, round_.fake_labels))
        self.latents = round_.latents
        self.weights = [np.array(v) for v in pair[0].trainable_variables]

    def scores(self, images):
        return np.array(self.discriminator(tf.constant(images)))

    def features(self, images):
        hidden = self.discriminator.hidden
        sigma = np.linalg.norm(np.array(hidden.kernel) @ hidden.spectral_norm.vector)
        kernel = np.array(hidden.kernel) / (sigma + hidden.spectral_norm.epsilon)
        return np.tanh(images @ kernel + np.array(hidden.bias))

    def slopes(self, images):
        """‖∂D/∂x‖ of each image, by central differences."""
        h, squares = 1e-5, 0
        for axis in np.eye(3):
            up, down = (self.scores(images + sign * h * axis) for sign in (1, -1))
            squares = squares + ((up - down) / (2 * h)) ** 2
        return np.sqrt(squares)

    def uniform(self, size, stream=0):
        return np.array(noise.uniform(self.latents, (size,), stream))

    def around(self):
        return self.real + 0.5 * np.array(noise.normal(self.latents, (3,), 1))


def value(name, seen):
    """The formulas of the papers."""
    if name.startswith("wgan_gp"):
        share = seen.uniform(1)
        excess = seen.slopes(share * seen.real + (1 - share) * seen.fake) - 1
        excess = np.maximum(excess, 0) if name.endswith("sided") else excess
        return 0.7 * np.mean(excess**2)
    if name.startswith("dragan"):
        slopes = seen.slopes(seen.around())
        return (
            0.7
            * {
                "dragan_flat": np.mean(slopes**2),
                "dragan_below": np.mean(np.maximum(0, slopes**2 - 0.5)),
                "dragan_at": np.mean((slopes - 0.5) ** 2),
            }[name]
        )
    if name in ("r1", "r2"):
        images = seen.real if name == "r1" else seen.fake
        return 0.35 * np.mean(seen.slopes(images) ** 2)
    if name.startswith("lecam"):
        above = seen.scores(seen.real) - np.float32(FAKE_MEAN)
        below = np.float32(REAL_MEAN) - seen.scores(seen.fake)
        if name.endswith("clipped"):
            above, below = np.maximum(above, 0), np.maximum(below, 0)
        return 0.7 * (np.mean(above**2) + np.mean(below**2))
    if name == "consistency":
        real, fake = (
            seen.scores(images + seen.uniform(3, stream)) - seen.scores(images)
            for images, stream in ((seen.real, 2), (seen.fake, 3))
        )
        return 0.7 * np.mean(real**2) + 0.4 * np.mean(fake**2)
    if name == "feature_matching":
        real, fake = (
            np.mean(seen.features(images), axis=0) for images in (seen.real, seen.fake)
        )
        return 0.7 * np.sum((real - fake) ** 2)
    if name == "pulling_away":
        codes = seen.features(seen.fake)
        cosines = np.zeros((len(codes), len(codes)))
        for i, one in enumerate(codes):
            for j, other in enumerate(codes):
                norms = np.linalg.norm(one) * np.linalg.norm(other)
                cosines[i, j] = 0 if i == j else one @ other / norms
        return 0.7 * np.sum(cosines**2) / (len(codes) * (len(codes) - 1))
    if name == "history":
        return 0.7 * sum(np.sum((w - 0.5) ** 2) for w in seen.weights)
    return None  # Orthogonality has a test of its own.


def game_with(penalty, settings, pair, **changes):
    changes = {"alpha": 0.05, "objective": "non_saturating"} | changes
    game = settings(**changes).game(pair)
    game.penalties = (penalty,)
    return game


@every
def test_value(name, smooth, settings):
    pair, round_ = smooth
    game = game_with(made(name, pair), settings, pair)
    expected = value(name, Seen(pair, game, round_))
    if expected is None:
        return
    metrics = game.play(round_, PLAYERS).metrics
    found = float(metrics[f"{game.penalties[0].name}_penalty"])
    assert expected > 1e-3
    assert found == pytest.approx(expected, rel=1e-6)


def losses(game, pair, name, round_, at):
    """Of both players, with the penalty's averages as they were at first."""
    found = {}
    for player in PLAYERS:
        game.penalties = (made(name, pair),)
        found[player] = float(game.loss(round_, player, at))
    return found


@every
@pytest.mark.parametrize("moves", ["logan", "none"])
def test_gradients_of_both_players(name, moves, smooth, settings):
    """By differences of the losses, through the latents' move."""
    pair, round_ = smooth
    game = game_with(made(name, pair), settings, pair)
    if moves == "none":
        game.latent_rule = type(game.latent_rule)()
    gradients = game.play(round_, PLAYERS).gradients
    own = game.weights()
    rng = np.random.default_rng(3)
    for player in PLAYERS:
        u = {player: [tf.constant(rng.normal(size=w.shape)) for w in own[player]]}
        h = 1e-5
        ahead, behind = (
            losses(game, pair, name, round_, weights.moved(own, u, sign * h))[player]
            for sign in (1, -1)
        )
        expected = (ahead - behind) / (2 * h)
        found = float(weights.inner(u, gradients))
        assert found == pytest.approx(expected, rel=2e-6, abs=1e-8)


@every
def test_stops(name, smooth, settings):
    """Both tapes of a stopped game give what one tape around its loss gives."""
    pair, round_ = smooth
    game = game_with(
        made(name, pair), settings, pair, stop_gradient=PLAYERS, stop_regularizer=True
    )
    gradients = game.play(round_, PLAYERS).gradients
    own = game.weights()
    for player in PLAYERS:
        game.penalties = (made(name, pair),)
        with tf.GradientTape() as tape:
            tape.watch(own[player])
            loss = game.loss(round_, player, own)
        expected = tape.gradient(loss, own[player], unconnected_gradients="zero")
        largest = max(np.abs(x).max() for x in expected)
        for a, b in zip(gradients[player], expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-11 * largest)


def test_lecam_keeps_averages_of_the_mean_scores(smooth, settings):
    pair, round_ = smooth
    penalty = made("lecam", pair)
    game = game_with(penalty, settings, pair)
    seen = Seen(pair, game, round_)
    game.advance(PLAYERS, game.play(round_, PLAYERS).metrics)
    expected = [
        0.99 * before + 0.01 * seen.scores(images).mean()
        for before, images in ((REAL_MEAN, seen.real), (FAKE_MEAN, seen.fake))
    ]
    np.testing.assert_allclose([v.numpy() for v in penalty.variables], expected, 1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WganGp(-1.0), r"WganGp\.weight"),
        (lambda: Dragan(variance=-1.0), r"Dragan\.variance"),
        (lambda: Dragan(form="round"), "flat, below, at"),
        (lambda: R1(-1.0), r"R1\.weight"),
        (lambda: R2(-1.0), r"R2\.weight"),
        (lambda: LeCam(decay=1.0), r"LeCam\.decay"),
        (lambda: BalancedConsistency(fake_weight=-1.0), "fake_weight"),
    ],
)
def test_numbers_out_of_range_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_the_historical_average_is_a_mean(smooth, settings):
    pair, round_ = smooth
    penalty = ALL["history"]()
    game = game_with(penalty, settings, pair)
    game.build((3,))
    bias = pair[0].points.bias
    place = [v is bias for v in pair[0].trainable_variables].index(True)
    assert game.play(round_, PLAYERS).metrics["generator_history_penalty"] == 0
    for value in (1.0, 4.0, 7.0):
        bias.assign([value] * 3)
        game.advance(["generator"], {})
    game.advance(["discriminator"], {})
    np.testing.assert_allclose(penalty.variables[place].numpy(), [4.0] * 3, 1e-6)


@every
def test_playing_changes_nothing(name, smooth, settings):
    """So that a field may be differentiated, and looked at as often as one likes."""
    pair, round_ = smooth
    penalty = made(name, pair)
    field = game_with(penalty, settings, pair).field(round_)
    before = [v.numpy() for v in penalty.variables]
    field.transposed(field())
    for old, variable in zip(before, penalty.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_penalties_of_one_name_share_a_metric(smooth, settings):
    pair, round_ = smooth
    one, both = (game_with(R1(0.7), settings, pair) for _ in range(2))
    both.penalties = (R1(0.7), R1(1.4))
    one, both = (
        float(game.play(round_, PLAYERS).metrics["r1_penalty"]) for game in (one, both)
    )
    assert both == pytest.approx(3 * one, rel=1e-12)


def test_a_penalty_that_is_no_list_is_refused(smooth):
    with pytest.raises(ConfigurationError, match="with the brackets"):
        Game(*smooth[0], penalties=R1())


def test_a_discriminator_without_features_is_refused(smooth):
    with pytest.raises(ConfigurationError, match="features"):
        FeatureMatching().build({"discriminator": smooth[0][0]}, (3,))


def test_what_cannot_be_augmented_is_refused_when_the_game_is_built(smooth, settings):
    pair, _ = smooth
    game = game_with(BalancedConsistency(), settings, pair)
    with pytest.raises(ConfigurationError, match="transforms pictures"):
        game.build((3,))
