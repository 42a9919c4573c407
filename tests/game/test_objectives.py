import math

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game import objectives
from logan_tf.game.energy import EnergyMargin
from logan_tf.game.weights import GENERATOR

_RNG = np.random.default_rng(0)
_REAL, _FAKE = _RNG.normal(0, 2, 9), _RNG.normal(0, 2, 9)
_ALL = (
    "hinge",
    "wasserstein",
    "non_saturating",
    "minimax",
    "least_squares",
    "smoothed",
    "relativistic",
    "energy",
)
MARGIN = 1.7

every = pytest.mark.parametrize("name", _ALL)
unpaired = pytest.mark.parametrize("name", [n for n in _ALL if n != "relativistic"])


def _log_sigmoid(x):
    """ln σ(x) = −ln(1 + e⁻ˣ), and x where e⁻ˣ would overflow."""
    return np.array([-math.log1p(math.exp(-v)) if v > -500 else v for v in x])


def _oracle(name, real, fake):
    """(discriminator's loss, generator's loss) in NumPy."""
    if name == "hinge":
        margins = np.clip(1 - real, 0, None), np.clip(1 + fake, 0, None)
        return margins[0].mean() + margins[1].mean(), -fake.mean()
    if name == "energy":
        return np.maximum(0, MARGIN + fake).mean() - real.mean(), -fake.mean()
    if name == "wasserstein":
        return fake.mean() - real.mean(), -fake.mean()
    if name == "least_squares":
        discriminator = ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2
        return discriminator, ((fake - 1) ** 2).mean() / 2
    if name == "relativistic":
        return -_log_sigmoid(real - fake).mean(), -_log_sigmoid(fake - real).mean()
    if name == "smoothed":
        on_real = 0.9 * _log_sigmoid(real) + 0.1 * _log_sigmoid(-real)
        both = on_real.mean() + _log_sigmoid(-fake).mean()
        return -both, -_log_sigmoid(fake).mean()
    discriminator = -_log_sigmoid(real).mean() - _log_sigmoid(-fake).mean()
    if name == "minimax":
        return discriminator, _log_sigmoid(-fake).mean()
    return discriminator, -_log_sigmoid(fake).mean()


def _objective(name):
    return EnergyMargin(MARGIN) if name == "energy" else getattr(objectives, name)


def _losses(name, real, fake, dtype=tf.float64):
    return _objective(name)(tf.constant(real, dtype), tf.constant(fake, dtype))


@every
def test_against_numpy(name):
    losses = _losses(name, _REAL, _FAKE)
    np.testing.assert_allclose(losses, _oracle(name, _REAL, _FAKE), 1e-12)


@every
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_extreme_scores_stay_finite_and_exact(name, dtype):
    extreme = np.array([1e4, -1e4, 100.0, -100.0, 0.0])
    real, fake = tf.constant(extreme, dtype), tf.constant(extreme[::-1].copy(), dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((real, fake))
        losses = _objective(name)(real, fake)
    np.testing.assert_allclose(losses, _oracle(name, extreme, extreme[::-1]), 1e-5)
    for loss in losses:
        for gradient in tape.gradient(loss, (real, fake)):
            assert gradient is None or np.all(np.isfinite(gradient))


@every
def test_gradients_against_finite_differences(name):
    logits = tf.constant(_REAL), tf.constant(_FAKE)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        losses = _objective(name)(*logits)
    h = 1e-6
    for player in (0, 1):
        gradients = tape.gradient(losses[player], logits, unconnected_gradients="zero")
        for which, gradient in enumerate(gradients):
            for index in range(len(_REAL)):
                values = []
                for sign in (1, -1):
                    moved = [_REAL.copy(), _FAKE.copy()]
                    moved[which][index] += sign * h
                    values.append(_oracle(name, *moved)[player])
                slope = (values[0] - values[1]) / (2 * h)
                np.testing.assert_allclose(gradient[index], slope, atol=1e-8)


@unpaired
def test_generator_reads_no_real_scores(name):
    """`Game.play` relies on it where the generator plays alone."""
    real = tf.constant(_REAL)
    with tf.GradientTape() as tape:
        tape.watch(real)
        loss = _objective(name)(real, tf.constant(_FAKE)).generator
    assert tape.gradient(loss, real) is None


@every
@pytest.mark.parametrize(
    ("real", "fake", "named"),
    [((4, 1), (4,), "real"), ((4,), (4, 1), "fake"), ((), (4,), "real")],
)
def test_other_ranks_are_refused(name, real, fake, named):
    with pytest.raises(ValueError, match=f"{named}_logits must have shape"):
        _losses(name, np.zeros(real), np.zeros(fake))


@unpaired
def test_batches_of_different_size(name):
    losses = _losses(name, _REAL[:4], _FAKE)
    np.testing.assert_allclose(losses, _oracle(name, _REAL[:4], _FAKE), 1e-12)


def test_generator_loss_is_a_poisson_likelihood():
    """Appendix D: −ln p(k = 0) = −D(G(z)) for Poisson events of rate −D(G(z))."""

    def probability(k, rate):
        return rate**k * math.exp(-rate) / math.factorial(k)

    fake = -np.abs(_FAKE)
    expected = np.mean([-math.log(probability(0, -score)) for score in fake])
    for name in ("hinge", "wasserstein"):
        loss = _losses(name, _REAL, fake).generator
        np.testing.assert_allclose(loss, expected, 1e-12)


def test_a_generators_loss_may_read_the_real_scores(smooth, settings):
    """In an update of the generator alone too, which other objectives make without."""
    pair, round_ = smooth
    game = settings().game(pair)
    game.objective = objectives.relativistic
    both, alone = game.play(round_), game.play(round_, [GENERATOR])
    for a, b in zip(alone.gradients[GENERATOR], both.gradients[GENERATOR], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    moved = round_._replace(images=round_.images + 1)
    other = game.play(moved, [GENERATOR]).metrics["generator_loss"]
    assert abs(other - alone.metrics["generator_loss"]) > 1e-3


def test_least_squares_has_targets_of_its_own():
    found = objectives.least_squares(
        tf.constant(_REAL), tf.constant(_FAKE), -1.0, 1.0, 0.0
    )
    discriminator = ((_REAL - 1) ** 2).mean() / 2 + ((_FAKE + 1) ** 2).mean() / 2
    np.testing.assert_allclose(found, (discriminator, (_FAKE**2).mean() / 2), 1e-12)


def test_smoothing_has_its_optimum_at_the_odds_of_its_target():
    score = tf.constant([math.log(0.8 / 0.2)], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(score)
        loss = objectives.smoothed(score, tf.zeros([1], tf.float64), 0.8).discriminator
    assert abs(float(tape.gradient(loss, score)[0])) < 1e-15


@pytest.mark.parametrize("target", [0.5, 1.1])
def test_a_target_out_of_range_is_refused(target):
    with pytest.raises(ConfigurationError, match=r"smoothed\.target"):
        objectives.smoothed(tf.zeros([1]), tf.zeros([1]), target)
