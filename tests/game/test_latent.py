import functools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logan_tf.errors import ConfigurationError
from logan_tf.game import latent
from logan_tf.game.latent import LatentOptimizer

_RNG = np.random.default_rng(0)
_MATRIX = (lambda a: a @ a.T + np.eye(5))(_RNG.normal(size=(5, 5)))
_VECTOR = _RNG.normal(size=5)
_LATENTS = _RNG.uniform(-1, 1, (8, 5))

_gd = functools.partial(latent.gradient_step, step_size=0.3)
_ngd = functools.partial(latent.natural_gradient_step, step_size=0.9, damping=0.1)


def _quadratic(z):
    """f(z) = bᵀz − ½ zᵀAz, whose gradient is b − Az."""
    z = tf.convert_to_tensor(z)
    return tf.linalg.matvec(z, _VECTOR) - 0.5 * tf.reduce_sum(z * (z @ _MATRIX), -1)


def _numpy_steps(z, natural, num_optimized, num_steps, bounds):
    """(z', Δz) of one sample on `_quadratic`, coordinate by coordinate."""
    z, total = z.copy(), np.zeros(5)
    for _ in range(num_steps):
        g = (_VECTOR - _MATRIX @ z)[:num_optimized]
        delta = 0.9 * g / (0.1 + sum(v * v for v in g)) if natural else 0.3 * g
        for i in range(num_optimized):
            total[i] += delta[i]
            z[i] = z[i] + delta[i]
            if bounds:
                z[i] = min(max(z[i], bounds[0]), bounds[1])
    return z, total


@pytest.mark.parametrize("alpha", [0.0, 0.9, 3.0])
@pytest.mark.parametrize("beta", [0.1, 5.0])
def test_natural_step_is_a_dense_solve(alpha, beta):
    gradient = _RNG.normal(size=(6, 7))
    delta = latent.natural_gradient_step(tf.constant(gradient), alpha, beta)
    for g, step in zip(gradient, delta, strict=True):
        fisher = np.outer(g, g) + beta * np.eye(7)
        np.testing.assert_allclose(step, alpha * np.linalg.solve(fisher, g), 1e-9)


def test_gradient_step():
    gradient = _RNG.normal(size=(6, 7))
    delta = latent.gradient_step(tf.constant(gradient), 0.25)
    np.testing.assert_allclose(delta, 0.25 * gradient, 1e-12)


@settings(deadline=None, derandomize=True, max_examples=60, database=None)
@given(
    gradient=hnp.arrays(float, (3, 4), elements=st.floats(-1e6, 1e6)),
    alpha=st.floats(0, 10),
    beta=st.floats(1e-3, 10),
)
def test_natural_step_is_bounded(gradient, alpha, beta):
    delta = latent.natural_gradient_step(tf.constant(gradient), alpha, beta)
    bound = alpha / (2 * np.sqrt(beta))
    assert np.all(np.linalg.norm(delta, axis=-1) <= bound * (1 + 1e-9))


def test_bound_is_reached_where_the_gradient_is_the_root_of_the_damping():
    gradient = np.array([[np.sqrt(0.1), 0.0], [0.0, 0.3], [0.35, 0.0]])
    norms = np.linalg.norm(
        latent.natural_gradient_step(tf.constant(gradient), 0.9, 0.1), axis=-1
    )
    np.testing.assert_allclose(norms[0], 0.9 / (2 * np.sqrt(0.1)), 1e-12)
    assert norms[0] > max(norms[1:])


def test_small_gradient_steps_gain_alpha_times_the_squared_gradient():
    gradient = _VECTOR - _LATENTS @ _MATRIX
    squares = np.sum(gradient**2, -1)
    curvature = -0.5 * np.einsum("bi,ij,bj->b", gradient, _MATRIX, gradient)
    for alpha in (1e-2, 1e-4):
        step = functools.partial(latent.gradient_step, step_size=alpha)
        moved, _ = LatentOptimizer(step, bounds=None)(tf.constant(_LATENTS), _quadratic)
        gain = np.array(_quadratic(moved) - _quadratic(_LATENTS))
        np.testing.assert_allclose(gain, alpha * squares + alpha**2 * curvature, 1e-6)
    assert np.all(gain > 0)


@pytest.mark.parametrize("natural", [True, False])
@pytest.mark.parametrize("bounds", [(-0.5, 0.7), (-0.2, 0.9), None])
@pytest.mark.parametrize("num_steps", [0, 1, 2, 5])
def test_steps_against_numpy(natural, bounds, num_steps):
    optimizer = LatentOptimizer(_ngd if natural else _gd, 0.6, num_steps, bounds)
    moved, delta = optimizer(tf.constant(_LATENTS), _quadratic)
    expected = [_numpy_steps(z, natural, 3, num_steps, bounds) for z in _LATENTS]
    np.testing.assert_allclose(moved, [z for z, _ in expected], atol=1e-10)
    np.testing.assert_allclose(delta, [d for _, d in expected], atol=1e-10)
    if bounds and num_steps:
        clipped = np.abs(moved - (_LATENTS + delta)) > 1e-3
        assert clipped[:, :3].any()
        assert not clipped.all()


@pytest.mark.parametrize(
    ("fraction", "dim", "count"),
    [(0.29, 100, 29), (0.8, 128, 102), (0.0, 7, 0), (1.0, 7, 7), (0.57, 100, 57)],
)
def test_first_coordinates_move_and_the_others_pass_bit_for_bit(fraction, dim, count):
    latents = np.random.default_rng(1).normal(0, 2, (4, dim))  # A prior beyond ±1.
    optimizer = LatentOptimizer(_ngd, fraction)
    assert optimizer.num_optimized(dim) == count
    moved, delta = optimizer(
        tf.constant(latents), lambda z: tf.reduce_sum(tf.sin(z), -1)
    )
    np.testing.assert_array_equal(moved[:, count:], latents[:, count:])
    np.testing.assert_array_equal(delta[:, count:], 0)
    assert np.all(np.array(delta[:, :count]) != 0)
    assert np.abs(moved[:, :count]).max(initial=0) <= 1
    assert np.abs(latents[:, count:]).max(initial=2) > 1


@pytest.mark.parametrize("step", [_gd, _ngd])
def test_step_of_a_sample_does_not_depend_on_the_batch(step):
    optimizer = LatentOptimizer(step)
    together = optimizer(tf.constant(_LATENTS), _quadratic)
    for i in range(len(_LATENTS)):
        alone = optimizer(tf.constant(_LATENTS[i : i + 1]), _quadratic)
        np.testing.assert_allclose(alone.latents, together.latents[i : i + 1], 1e-12)
        np.testing.assert_allclose(alone.delta, together.delta[i : i + 1], 1e-12)


def test_no_steps_and_no_fraction_ask_for_no_score():
    def refuse(latents):
        raise AssertionError

    for optimizer in (LatentOptimizer(_gd, num_steps=0), LatentOptimizer(_gd, 0.0)):
        moved, delta = optimizer(tf.constant(_LATENTS), refuse)
        np.testing.assert_array_equal(moved, _LATENTS)
        np.testing.assert_array_equal(delta, np.zeros_like(_LATENTS))


def test_flat_score_moves_nothing():
    moved, delta = LatentOptimizer(_ngd)(
        tf.constant(_LATENTS), lambda z: tf.zeros(len(_LATENTS), tf.float64)
    )
    np.testing.assert_array_equal(moved, _LATENTS)
    np.testing.assert_array_equal(delta, 0)


def test_another_number_of_steps():
    optimizer = LatentOptimizer(_gd, 0.6, 1, None).with_steps(4)
    moved, _ = optimizer(tf.constant(_LATENTS), _quadratic)
    expected = [_numpy_steps(z, False, 3, 4, None)[0] for z in _LATENTS]
    np.testing.assert_allclose(moved, expected, atol=1e-10)


@pytest.mark.parametrize("axis", [(8, 1), ()])
def test_scores_of_another_rank_are_refused(axis):
    def score(z):
        return tf.reshape(tf.reduce_sum(z, -1), axis) if axis else tf.reduce_sum(z)

    with pytest.raises(ValueError, match="one number per sample"):
        LatentOptimizer(_gd)(tf.constant(_LATENTS), score)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"fraction": -0.1}, "fraction"),
        ({"fraction": 1.1}, "fraction"),
        ({"fraction": 80}, "fraction"),
        ({"num_steps": -1}, "num_steps"),
        ({"bounds": (1.0, -1.0)}, "bounds"),
        ({"bounds": (1.0, 1.0)}, "bounds"),
    ],
)
def test_values_that_cannot_work(arguments, name):
    with pytest.raises(ConfigurationError, match=f"LatentOptimizer.{name}"):
        LatentOptimizer(_gd, **arguments)


@pytest.mark.parametrize(("alpha", "beta"), [(0.9, 0.1), (0.06, 9e-4), (0.9, 5.0)])
def test_the_natural_steps_reach_is_that_of_the_paper(alpha, beta):
    step = functools.partial(
        latent.natural_gradient_step, step_size=alpha, damping=beta
    )
    reach = latent.Reach.of(step)
    assert reach.pull == pytest.approx(alpha / beta, rel=1e-6)
    assert reach.radius == pytest.approx(alpha / (2 * math.sqrt(beta)), rel=1e-4)


def test_a_radius_and_a_pull_give_alpha_and_beta():
    """As docs/methods/latent_optimisation.md has it: α = 4r²/p, β = 4r²/p²."""
    radius, pull = 1.423, 3.0
    step = functools.partial(
        latent.natural_gradient_step,
        step_size=4 * radius**2 / pull,
        damping=4 * radius**2 / pull**2,
    )
    found = latent.Reach.of(step)
    assert (found.pull, found.radius) == pytest.approx((pull, radius), rel=1e-4)


def test_the_gradient_steps_reach_has_no_bound():
    reach = latent.Reach.of(functools.partial(latent.gradient_step, step_size=0.01))
    assert (reach.pull, reach.radius) == (pytest.approx(0.01), math.inf)
    assert "of any length" in str(reach)


def test_a_step_of_somebodys_own_may_have_no_reach():
    assert latent.Reach.of(lambda g: g * tf.ones([3, 2])) is None
