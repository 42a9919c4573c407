"""Eigenvalues, whose they are and where the gradient lies, against other arithmetic."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.game import Game
from logan_tf.game.objectives import non_saturating
from logan_tf.game.round import Round
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.lab import spectrum, toys
from logan_tf.lab.spectrum import Jacobian

H = 1e-4


def dense(units):
    return keras.layers.Dense(units, dtype="float64")


class Generator(keras.Model):
    def __init__(self):
        super().__init__(dtype="float64")
        self.hidden, self.last = dense(3), dense(2)

    def call(self, latents, labels=None, training=True):
        return self.last(tf.tanh(self.hidden(latents)))


class Discriminator(keras.Model):
    def __init__(self):
        super().__init__(dtype="float64")
        self.hidden, self.last = dense(3), dense(1)

    def call(self, images, labels=None):
        return tf.squeeze(self.last(tf.tanh(self.hidden(images))), -1)


def linear(matrix):
    """The game of 4 + 8 weights whose J is this matrix at every w."""

    def loss(player, rows):
        own, others = matrix[rows], [q for q in "ab" if q != player]
        mine = own[:, rows]

        def value(at):
            (other,) = (at[q] for q in others)
            theirs = np.delete(own, np.r_[rows], axis=1)
            # The own part of J is symmetric, as that of a loss.
            own_part = tf.tensordot(at[player], tf.linalg.matvec(mine, at[player]), 1)
            return own_part / 2 + tf.tensordot(
                at[player], tf.linalg.matvec(theirs, other), 1
            )

        return value

    return toys.Toy(
        {"a": loss("a", slice(0, 4)), "b": loss("b", slice(4, 12))},
        {"a": np.arange(1.0, 5.0), "b": np.arange(8.0) - 3},
    )


@pytest.fixture(scope="module")
def matrix():
    found = np.random.default_rng(0).normal(size=(12, 12))
    for rows in (slice(0, 4), slice(4, 12)):
        found[rows, rows] += found[rows, rows].T
    return found


@pytest.mark.parametrize(
    ("toy", "expected"),
    [
        (lambda: toys.quadratic(0.3, 1.5), [0.3 + 1.5j, 0.3 - 1.5j]),
        (lambda: toys.saddle(-3, -1, 4), [-2 + 0j, -2 + 0j]),
        (lambda: toys.circle(0.2), 0.2 + np.exp(2j * np.pi * np.arange(3) / 3)),
    ],
)
def test_closed_forms(toy, expected):
    found = spectrum.of(Jacobian(toy(), None))
    order = np.argsort(np.round(found.values, 6))
    own = np.argsort(np.round(expected, 6))
    np.testing.assert_allclose(found.values[order], np.array(expected)[own], atol=1e-7)
    assert (np.diff(np.abs(found.values)) < 1e-7).all()
    total = sum(found.shares.values())
    np.testing.assert_allclose(total, np.ones(len(expected)), atol=1e-12)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
def test_the_dirac_gan_at_its_equilibrium(penalty):
    toy = toys.dirac(penalty)
    for variable in toy.variables.values():
        variable.assign([0.0])
    found = spectrum.dense(Jacobian(toy, None))
    root = np.emath.sqrt(penalty**2 / 4 - 0.25)
    expected = [penalty / 2 + root, penalty / 2 - root]
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert np.isnan(found.gradient).all()  # There is no gradient.
    if penalty < 1:  # A rotation belongs to both alike.
        np.testing.assert_allclose(found.shares[GENERATOR], 0.5)


def test_who_has_an_eigenvalue_and_where_the_gradient_is():
    """f = 3x² − y²: each has its own, v = (2y, 6x) at (y, x) = (1, 1)."""
    found = spectrum.dense(Jacobian(toys.saddle(3, -1, 0), None))
    np.testing.assert_allclose(found.values, [6, 2])
    np.testing.assert_allclose(found.shares[GENERATOR], [1, 0])
    np.testing.assert_allclose(found.shares[DISCRIMINATOR], [0, 1])
    np.testing.assert_allclose(found.gradient, [0.9, 0.1])


def test_of_a_matrix_that_is_not_normal():
    """J = [[2q, −r], [r, 2p]] over (y, x), by the formulas of two by two."""
    found = spectrum.dense(Jacobian(toys.saddle(1.5, -0.5, 0.5), None))
    # (1 − λ)(3 − λ) + ¼ = 0, (J − λ)u = 0 for u = (−r, λ − 1) up to a sign.
    values = 2 + np.sqrt(0.75) * np.array([1, -1])
    vectors = np.array([[-0.5, -0.5], values - 1])
    vectors /= np.linalg.norm(vectors, axis=0)
    np.testing.assert_allclose(found.values, values)
    np.testing.assert_allclose(found.shares[GENERATOR], vectors[1] ** 2)
    v = np.array([1 - 0.5, 3 + 0.5])
    coefficients = np.linalg.solve(vectors, v)
    np.testing.assert_allclose(found.gradient, coefficients**2 / (v @ v))
    assert not np.isclose(found.gradient.sum(), 1)


def test_dense_is_the_spectrum_of_a_measured_jacobian():
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    draws, labels = tf.constant(rng.normal(size=(2, 8, 2))), tf.zeros(8, tf.int32)
    pair = Generator(), Discriminator()
    pair[1](pair[0](draws[1]))
    game = Game(*pair, non_saturating)
    jacobian = Jacobian(game, Round(draws[0], labels, draws[1], labels))
    columns = []
    for variable in (v for p in game.weights() for v in game.variables(p)):
        start = variable.numpy()
        for place in np.ndindex(start.shape):
            unit = np.zeros_like(start)
            unit[place] = H
            slopes = []
            for times in (1, -1):
                variable.assign(start + times * unit)
                slopes.append(jacobian.gradient())
            columns.append((slopes[0] - slopes[1]) / (2 * H))
        variable.assign(start)
    measured = np.transpose(columns)
    np.testing.assert_allclose(jacobian.matrix(), measured, atol=1e-7)
    found = spectrum.dense(jacobian)
    assert found.values.size == sum(jacobian.sizes.values()) == 17 + 13
    residual = measured @ found.vectors - found.vectors * found.values
    assert np.abs(residual).max() < 1e-6
    expected = np.linalg.eigvals(measured)
    assert np.abs(found.values).max() == pytest.approx(np.abs(expected).max(), rel=1e-6)


@pytest.mark.parametrize(
    ("which", "size"), [("LM", abs), ("LR", np.real), ("LI", None)]
)
def test_arnoldi_finds_what_eig_does(which, size, matrix):
    jacobian = Jacobian(linear(matrix), None)
    values, vectors = np.linalg.eig(matrix)
    v = matrix @ np.concatenate([np.arange(1.0, 5.0), np.arange(8.0) - 3])
    coefficients = np.linalg.solve(vectors, v)
    few = spectrum.leading(jacobian, 4, which, tolerance=1e-10)
    by = size or (lambda x: abs(np.imag(x)))
    largest = np.sort([by(value) for value in values])[::-1]
    assert len(few.values) in (4, 5)
    found = np.sort([by(value) for value in few.values])[::-1]
    np.testing.assert_allclose(found[:4], largest[:4], rtol=1e-8)
    for place, value in enumerate(few.values):
        same = np.abs(values - value).argmin()
        assert abs(values[same] - value) < 1e-8
        share = abs(coefficients[same]) ** 2 / (v @ v)
        assert few.gradient[place] == pytest.approx(share, rel=1e-6)
        of_a = (abs(vectors[:4, same]) ** 2).sum()
        assert few.shares["a"][place] == pytest.approx(of_a, abs=1e-8)
        assert few.shares["b"][place] == pytest.approx(1 - of_a, abs=1e-8)


def test_a_small_game_asked_for_more_than_it_has():
    few = spectrum.leading(Jacobian(toys.circle(0.2), None), 2)
    # The real one, and both of the pair or the pair alone: by modulus 1.2 is first.
    assert few.values[0] == pytest.approx(1.2)
    assert len(few.values) == 3
    assert few.values[1] == pytest.approx(few.values[2].conj())


def test_scalars_are_of_the_upper_half():
    found = spectrum.scalars(spectrum.of(Jacobian(toys.quadratic(0.3, 1.5), None)))
    assert found == {
        "eigenvalue_1_real": pytest.approx(0.3),
        "eigenvalue_1_imaginary": pytest.approx(1.5),
        "eigenvalue_1_share_of_gradient": pytest.approx(0.5),
        "eigenvalue_1_share_of_discriminator": pytest.approx(0.5),
        "eigenvalue_1_share_of_generator": pytest.approx(0.5),
    }


@pytest.mark.parametrize(("num", "which"), [(0, "LM"), (3, "SR")])
def test_what_is_refused(num, which):
    with pytest.raises(ConfigurationError, match=f"not {num} by {which}"):
        spectrum.leading(Jacobian(toys.dirac(), None), num, which)
