"""Games of a few numbers: their equilibria, and the Jacobian there in closed form."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.plain import Plain
from logan_tf.game.field import Field
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.lab import gans, toys
from logan_tf.lab.descent import Descent


def jacobian(toy, at):
    """J at a place, over (D, G), and v."""
    for player, place in at.items():
        toy.variables[player].assign(place)
    field = Field(toy, None, (DISCRIMINATOR, GENERATOR))
    own = toy.weights()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(own)
        v = {p: w for p, (w,) in field(own).items()}
    rows = [
        np.concatenate(
            [
                tape.jacobian(v[i], own[j][0], unconnected_gradients="zero")
                for j in toy.variables
            ],
            axis=1,
        )
        for i in toy.variables
    ]
    return np.concatenate(rows), np.concatenate([v[p] for p in toy.variables])


def coupled(block, of_d=None, of_g=None):
    n, m = block.shape
    of_d = np.zeros((n, n)) if of_d is None else of_d
    of_g = np.zeros((m, m)) if of_g is None else of_g
    return np.block([[of_d, block], [-block.T, of_g]])


def test_rock_paper_scissors():
    at = {DISCRIMINATOR: [0.2] * 3, GENERATOR: [-1.0] * 3}
    found, v = jacobian(gans.rock_paper_scissors(), at)
    np.testing.assert_allclose(v, 0, atol=1e-15)
    wins = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    np.testing.assert_allclose(found, coupled(wins.T / 9), atol=1e-15)
    values = np.sort(np.linalg.eigvals(found).imag)
    root = np.sqrt(3) / 9
    np.testing.assert_allclose(values, [-root, -root, 0, 0, root, root], atol=1e-9)


def test_paper_wins():
    """G, certain of the second, takes from D, certain of the first."""
    toy = gans.rock_paper_scissors()
    at = {DISCRIMINATOR: [50.0, 0.0, 0.0], GENERATOR: [0.0, 0.0, 50.0]}
    losses = {p: float(toy.loss(None, p, weights(at))) for p in at}
    assert losses == {DISCRIMINATOR: pytest.approx(1), GENERATOR: pytest.approx(-1)}


def weights(at):
    return {p: [tf.constant(x, tf.float64)] for p, x in at.items()}


def test_a_neuron_against_a_point():
    point = np.array([1.0, -2.0])
    at = {DISCRIMINATOR: [0.0] * 3, GENERATOR: point}
    found, v = jacobian(gans.neuron(point), at)
    np.testing.assert_allclose(v, 0, atol=1e-15)
    u = np.append(point, 1.0)
    expected = coupled(np.eye(3, 2) / 2, np.outer(u, u) / 2)
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_a_neuron_finds_its_point():
    """Its own curvature draws D in one direction alone: consensus does the rest."""
    path = Descent(gans.neuron(), Consensus(1.0), 0.3).trajectory(800)
    np.testing.assert_allclose(path[-1], [0, 0, 0, 1, 1], atol=1e-3)


def test_a_normal_distribution():
    mean, deviation = 0.7, 1.3
    at = {DISCRIMINATOR: [0.0, 0.0], GENERATOR: [mean, deviation]}
    toy = gans.normal(mean, deviation)
    found, v = jacobian(toy, at)
    np.testing.assert_allclose(v, 0, atol=1e-15)
    block = np.array([[2 * mean, 2 * deviation], [1, 0]])
    np.testing.assert_allclose(found, coupled(block), atol=1e-15)
    # The value is an expectation: of samples it is the mean.
    a, b, mu, sigma = 0.4, -0.3, 0.2, 0.8
    z = np.random.default_rng(0).normal(size=400_000)
    real, fake = mean + deviation * z, mu + sigma * z
    mean_score = [np.mean(a * x**2 + b * x) for x in (real, fake)]
    at = {DISCRIMINATOR: [a, b], GENERATOR: [mu, sigma]}
    value = float(toy.loss(None, GENERATOR, weights(at)))
    assert value == pytest.approx(mean_score[0] - mean_score[1], abs=0.01)


@pytest.mark.parametrize(("name", "matrix"), toys.FIXED_POINTS.items())
def test_classes_of_fixed_points(name, matrix):
    """By what descent does: where both eigenvalues lead."""
    found, _ = jacobian(toys.linear(matrix), {DISCRIMINATOR: [0.0], GENERATOR: [0.0]})
    np.testing.assert_array_equal(found, matrix)
    assert toys.kind(matrix) == name
    values = np.linalg.eigvals(np.array(matrix))
    turns = np.abs(values.imag).max() > 0
    assert turns == (name in ("stable focus", "unstable focus", "center"))
    path = Descent(toys.linear(matrix), Plain(), 0.05).trajectory(300)
    ended = np.linalg.norm(path[-1])
    if name.startswith("stable"):
        assert ended < 0.05
    elif "unstable" in name or name == "saddle":
        assert ended > 10
    else:
        assert 0.5 < ended < 3


@pytest.mark.parametrize(
    ("matrix", "name"),
    [
        (((2.0, 0.0), (0.0, 2.0)), "stable node"),
        (((-0.6, 1.0), (0.0, -0.6)), "unstable node"),
        (((1.0, 2.0), (2.0, 1.0)), "saddle"),
    ],
)
def test_others_of_these_classes(matrix, name):
    assert toys.kind(matrix) == name
