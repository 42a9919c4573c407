"""The controls: equal length in another direction; the penalty without the move."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import controls
from logan_tf.game.game import DISCRIMINATOR, GENERATOR, Game
from logan_tf.game.latent import LatentOptimizer, gradient_step, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule


def ngd(gradient):
    return natural_gradient_step(gradient, 0.9, 0.1)


def test_directions_are_uniform_on_the_sphere_and_the_samples_own():
    latents = np.random.default_rng(0).uniform(-1, 1, (4000, 3)).astype(np.float32)
    found = controls.random_directions(latents, 3).numpy()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    # On the sphere in three dimensions each coordinate is uniform (Archimedes).
    for coordinate in found.T:
        shares, _ = np.histogram(coordinate, bins=8, range=(-1, 1))
        assert np.abs(shares - 500).max() < 5 * np.sqrt(500)
    every = np.corrcoef(found.T, latents.T) - np.eye(6)
    assert np.abs(every).max() < 0.07
    assert np.abs(np.corrcoef(found[1:].T, found[:-1].T)[:3, 3:]).max() < 0.07
    alone = controls.random_directions(latents[7:8], 3)
    np.testing.assert_allclose(alone[0], found[7], rtol=1e-6)


def test_a_random_step_is_as_long_as_the_natural_gradients(smooth):
    (generator, discriminator), round_ = smooth
    score = Game(generator, discriminator).score
    outcomes = [
        kind(ngd, fraction=0.7, bounds=None)(
            round_.latents, lambda z: score(z, round_.fake_labels)
        )
        for kind in (LatentOptimizer, controls.RandomDirection)
    ]
    uphill, anywhere = (np.array(outcome.delta) for outcome in outcomes)
    lengths = np.linalg.norm(uphill, axis=1)
    np.testing.assert_allclose(np.linalg.norm(anywhere, axis=1), lengths, rtol=1e-6)
    assert lengths.min() > 0
    assert not anywhere[:, 4:].any()
    cosines = (uphill * anywhere).sum(1) / lengths**2
    assert np.abs(cosines).max() < 0.999
    np.testing.assert_allclose(outcomes[1].latents, round_.latents + anywhere)


def test_the_regularizer_and_its_gradient_are_logans(smooth):
    """The direction is a constant, R_z is LOGAN's own with all its gradient."""
    pair, round_ = smooth
    gradients = {}
    for kind in (LatentOptimizer, controls.RandomDirection):
        game = Game(
            *pair,
            latent_rule=LatentRule(kind(ngd, fraction=0.7, bounds=None), 0.4),
        )
        with tf.GradientTape() as tape:
            move = game._move(round_)
        variables = [v.value for v in game.variables(DISCRIMINATOR)]
        gradients[kind] = tape.gradient(
            move.regularizer, variables, unconnected_gradients="zero"
        )
    for a, b in zip(*gradients.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    assert max(np.abs(a).max() for a in gradients[LatentOptimizer]) > 1e-3


def test_no_step_where_there_is_no_slope():
    moved = controls.RandomDirection(ngd)
    latents = tf.constant([[0.1, 0.2, 0.3]])
    with tf.GradientTape() as tape:
        tape.watch(latents)
        delta = moved(latents, lambda z: tf.reduce_sum(0 * z, -1)).delta
        total = tf.reduce_sum(delta)
    assert not delta.numpy().any()
    slope = tape.gradient(total, latents, unconnected_gradients="zero")
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("natural", [False, True])
def test_the_penalty_is_the_baselines_gradient_and_finite_differences(
    natural, smooth, central_difference
):
    pair, round_ = smooth
    alpha, beta = 0.9, 0.1

    def root(gradient):
        if natural:
            return controls.root_of_natural_gradient_step(gradient, alpha, beta)
        return gradient_step(gradient, 1.0)

    game = Game(
        *pair,
        latent_rule=LatentRule(
            controls.LatentPenalty(root),
            regularizer_weight=1.0 if natural else alpha,
            stop_gradient=(GENERATOR,),
            stop_regularizer=True,
        ),
    )
    found = game.play(round_)
    baseline = Game(*pair).play(round_)
    for a, b in zip(
        found.gradients[GENERATOR], baseline.gradients[GENERATOR], strict=True
    ):
        np.testing.assert_array_equal(a, b)

    def penalty() -> float:
        """E⟨g, Δz⟩, with g by finite differences of f as well."""
        z = np.array(round_.latents)
        columns = []
        for j in range(z.shape[1]):
            e = 1e-4 * np.eye(z.shape[1])[j]
            difference = game.score(z + e, None) - game.score(z - e, None)
            columns.append(np.array(difference) / 2e-4)
        squares = np.square(columns).sum(0)
        return float(np.mean(alpha * squares / ((beta + squares) if natural else 1)))

    # Batch norm couples the samples: the sum's slope is then not each one's own.
    pair[0].normalize = lambda x, training: x
    found, baseline = game.play(round_), Game(*pair).play(round_)
    variables = game.variables(DISCRIMINATOR)
    rng = np.random.default_rng(1)
    along = [rng.normal(size=v.shape) for v in variables]
    slope = central_difference(penalty, variables, along, h=1e-4)
    extra = sum(
        np.sum((np.array(a) - np.array(b)) * d)
        for a, b, d in zip(
            found.gradients[DISCRIMINATOR],
            baseline.gradients[DISCRIMINATOR],
            along,
            strict=True,
        )
    )
    assert extra == pytest.approx(slope, rel=1e-4)
    assert found.metrics["score_gain"] == 0


def test_directions_compile(xla):
    latents = np.random.default_rng(0).uniform(-1, 1, (4, 8)).astype(np.float32)
    compiled = tf.function(
        lambda z: controls.random_directions(z, 6), jit_compile=True, autograph=False
    )
    expected = controls.random_directions(latents, 6)
    np.testing.assert_allclose(compiled(latents), expected, rtol=1e-4, atol=1e-6)
