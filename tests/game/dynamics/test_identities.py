"""What the paper says of LOGAN, unrolling and symplectic adjustment, where it is exact.

Eq. 7–12, section 3, and appendix A. D descends f and G −f, as there. The oracles are
written out in NumPy; the linear GAN is f(z) = ψ'(Wz + b).
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game.dynamics.nagarajan_kolter import NagarajanKolter
from logan_tf.game.dynamics.plain import Plain
from logan_tf.game.dynamics.symplectic import SymplecticGradientAdjustment
from logan_tf.game.dynamics.unrolled import Unrolled
from logan_tf.game.field import Field
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.objectives import wasserstein
from logan_tf.game.round import Round
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS
from logan_tf.lab.toys import Toy

RNG = np.random.default_rng(0)
A, C = RNG.normal(size=(3, 4)), RNG.normal(size=4)  # of f(x, y), G's x, D's y
X, Y = RNG.normal(size=3), RNG.normal(size=4)
Z, W, B, PSI = (RNG.normal(size=s) for s in (3, (2, 3), 2, 2))  # of the linear GAN
LATENT, LAMBDA, ALPHA, ETA = "latent", 0.7, 0.3, 1 / 64


def zero_sum(f):
    """D descends f(x, y), G −f."""
    losses = {
        DISCRIMINATOR: lambda at: f(at[GENERATOR], at[DISCRIMINATOR]),
        GENERATOR: lambda at: -f(at[GENERATOR], at[DISCRIMINATOR]),
    }
    return Toy(losses, {GENERATOR: X, DISCRIMINATOR: Y})


def update(toy, dynamics):
    """What the dynamics return, by player."""
    dynamics.build(toy.weights(), None)
    found = dynamics(Field(toy, None, tuple(toy.variables)))
    return {player: w.numpy() for player, (w,) in found.items()}


def dot(a, b):
    return tf.reduce_sum(a * b)


def curved(x, y):
    """x'Ay + ½ |x|² c'y + sin(c'y): of D, not linear."""
    return (
        dot(x, tf.linalg.matvec(A, y)) + dot(x, x) * dot(C, y) / 2 + tf.sin(dot(C, y))
    )


def linear_in_d(x, y):
    """tanh(A'x)'y."""
    return dot(tf.tanh(tf.linalg.matvec(A, x, transpose_a=True)), y)


def bilinear(x, y):
    return dot(x, tf.linalg.matvec(A, y))


def slopes(x, y):
    """f_x, f_y and f_xy [3, 4] of `curved`."""
    of_x = A @ y + C @ y * x
    of_y = A.T @ x + (x @ x / 2 + np.cos(C @ y)) * C
    return of_x, of_y, A + np.outer(x, C)


def test_equation_8_is_equation_7_of_a_zero_sum_game():
    """With λ, not λ/2."""
    found = update(zero_sum(curved), SymplecticGradientAdjustment(LAMBDA))
    of_x, of_y, of_both = slopes(X, Y)
    expected = {
        DISCRIMINATOR: of_y + LAMBDA * of_both.T @ of_x,
        GENERATOR: -of_x + LAMBDA * of_both @ of_y,
    }
    for player, value in expected.items():
        np.testing.assert_allclose(found[player], value, rtol=1e-13)


def test_equation_11_is_exact_with_alpha():
    """d f(x, y − αf_y)/dx = f_x(y') − α f_xy f_y(y'), where the paper has 2α."""
    found = update(zero_sum(curved), Unrolled(1, ALPHA))
    _, of_y, of_both = slopes(X, Y)
    there_x, there_y, _ = slopes(X, Y - ALPHA * of_y)
    expected = -(there_x - ALPHA * of_both @ there_y)
    np.testing.assert_allclose(found[GENERATOR], expected, rtol=1e-13)
    np.testing.assert_allclose(found[DISCRIMINATOR], of_y, rtol=1e-13)


def test_equation_10_is_an_approximation_of_second_order():
    of_x, of_y, of_both = slopes(X, Y)
    errors = []
    for alpha in (1e-3, 5e-4):
        found = update(zero_sum(curved), Unrolled(1, alpha))[GENERATOR]
        errors.append(np.abs(found + of_x - 2 * alpha * of_both @ of_y).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)


def test_equation_10_is_exact_where_d_is_linear():
    """And all three methods are one: 2ζ = λ = 2α."""
    hidden = np.tanh(A.T @ X)
    slope = A * (1 - hidden**2)  # f_xy
    expected = -slope @ Y + 2 * ALPHA * slope @ hidden
    toy = zero_sum(linear_in_d)
    for dynamics in (
        Unrolled(1, ALPHA),
        NagarajanKolter(ALPHA),
        SymplecticGradientAdjustment(2 * ALPHA),
    ):
        found = update(toy, dynamics)[GENERATOR]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_nagarajan_and_kolter_adjust_as_symplectic_adjustment_does():
    """G, in every zero-sum game."""
    toy = zero_sum(curved)
    adjusted = update(toy, SymplecticGradientAdjustment(2 * ALPHA))
    found = update(toy, NagarajanKolter(ALPHA))
    np.testing.assert_allclose(found[GENERATOR], adjusted[GENERATOR], rtol=1e-13)
    assert not np.allclose(found[DISCRIMINATOR], adjusted[DISCRIMINATOR])


def test_equation_12_is_exact_where_f_is_bilinear():
    """Both unrolled, once: symplectic adjustment of both."""
    found = update(zero_sum(bilinear), Unrolled(1, ALPHA, players=PLAYERS))
    adjusted = update(zero_sum(bilinear), SymplecticGradientAdjustment(2 * ALPHA))
    expected = {
        DISCRIMINATOR: A.T @ X + 2 * ALPHA * A.T @ (A @ Y),
        GENERATOR: -A @ Y + 2 * ALPHA * A @ (A.T @ X),
    }
    for player, value in expected.items():
        np.testing.assert_allclose(found[player], value, rtol=1e-13)
        np.testing.assert_allclose(adjusted[player], value, rtol=1e-13)


def score(z, of_d, of_g):
    """f(z) of the linear GAN, G's weights [W, b] in one vector."""
    kernel, bias = tf.reshape(of_g[:6], (2, 3)), of_g[6:]
    return dot(of_d, tf.linalg.matvec(kernel, z) + bias)


def three_players(step):
    """Eq. 18: the latent's step is a player, whose loss is −ηf."""

    def f(at):
        return score(Z + at[LATENT], at[DISCRIMINATOR], at[GENERATOR])

    losses = {
        LATENT: lambda at: -ETA * f(at),
        DISCRIMINATOR: f,
        GENERATOR: lambda at: -f(at),
    }
    weights = np.concatenate([W.ravel(), B])
    return Toy(losses, {LATENT: step, DISCRIMINATOR: PSI, GENERATOR: weights})


def of_linear_gan(z):
    """f_z, f_ψ, f_(W, b), and the products that the paper's equations take."""
    of_z, of_d = W.T @ PSI, W @ z + B
    of_g = np.concatenate([np.outer(PSI, z).ravel(), PSI])
    return {
        "z": of_z,
        DISCRIMINATOR: of_d,
        GENERATOR: of_g,
        # (∂²f/∂z∂θ)'f_z
        "zD": W @ of_z,
        "zG": np.concatenate([np.outer(PSI, of_z).ravel(), np.zeros(2)]),
        # (∂²f/∂θ_G∂θ_D)'f_G and the other way round
        "GD": (z @ z + 1) * PSI,
        "DG": np.concatenate([np.outer(of_d, z).ravel(), of_d]),
    }


def test_equations_22_and_23():
    """Exact with η(1 ± η)/2, where the paper writes γ of 1/2 and drops an η."""
    step = RNG.normal(size=3)
    found = update(three_players(step), SymplecticGradientAdjustment(LAMBDA))
    part = of_linear_gan(Z + step)
    near, far = ETA * (1 + ETA) / 2, ETA * (1 - ETA) / 2
    of_d = part[DISCRIMINATOR] + LAMBDA * (near * part["zD"] + part["GD"])
    of_g = -part[GENERATOR] - LAMBDA * (far * part["zG"] - part["DG"])
    np.testing.assert_allclose(found[DISCRIMINATOR], of_d, rtol=1e-12)
    np.testing.assert_allclose(found[GENERATOR], of_g, rtol=1e-12)


class Linear(keras.Model):
    """Wz + b, or ψ'x."""

    def __init__(self, *weights):
        super().__init__(dtype="float64")
        self.kept = [
            self.add_weight(shape=w.shape, initializer="zeros", dtype="float64")
            for w in weights
        ]
        for variable, value in zip(self.kept, weights, strict=True):
            variable.assign(value)

    def call(self, x, labels=None, training=True):
        if len(self.kept) == 1:
            return tf.linalg.matvec(x, self.kept[0])
        return x @ tf.transpose(self.kept[0]) + self.kept[1]


def logan(alpha=ALPHA):
    optimizer = LatentOptimizer(lambda g: gradient_step(g, alpha), bounds=None)
    pair = Linear(W, B), Linear(PSI)
    return Game(*pair, wasserstein, LatentRule(optimizer if alpha else None))


def played(game, z):
    """(D's and G's loss at their weights, v), with real points at 0."""
    z = tf.constant(z)
    labels = tf.zeros(len(z), tf.int32)
    round_ = Round(tf.zeros((len(z), 2), tf.float64), labels, z, labels)
    field = game.field(round_)
    v = {
        p: np.concatenate([np.ravel(w) for w in tensors])
        for p, tensors in field().items()
    }
    return field.loss(DISCRIMINATOR, game.weights()), v


def test_logan_is_the_adjustment_by_the_latents_player():
    """Eq. 24–26 and 6: on the linear GAN the approximation is none.

    λη(1 ± η)/2 = α, and what couples D and G themselves is dropped.
    """
    _, found = played(logan(), Z[None])
    step = ALPHA * W.T @ PSI
    part = of_linear_gan(Z + step)
    for player, sign, both in ((DISCRIMINATOR, 1, "GD"), (GENERATOR, -1, "DG")):
        weight = ALPHA / (ETA * (1 + sign * ETA) / 2)
        sga = update(three_players(step), SymplecticGradientAdjustment(weight))
        dropped = weight * part[both]
        np.testing.assert_allclose(found[player], sga[player] - dropped, rtol=1e-9)
        product = part["zD" if player == DISCRIMINATOR else "zG"]
        expected = sign * (part[player] + ALPHA * product)
        np.testing.assert_allclose(found[player], expected, rtol=1e-12)


def test_latent_optimization_is_a_penalty_on_the_linear_gan():
    """L_D(z') = L_D(z) + α E‖f_z‖², as D pays for it."""
    z = RNG.normal(size=(5, 3))
    (after, _), (before, _) = (played(logan(alpha), z) for alpha in (ALPHA, 0.0))
    square = (W.T @ PSI) @ (W.T @ PSI)
    assert float(after - before) == pytest.approx(ALPHA * square, rel=1e-12)


def test_two_time_scales():
    """App. A.2 at equal ρ: G has to move less for it, and D more.

    Moved by these lengths along its gradient at z', each changes f by ρ exactly.
    """
    rho, square = 2.0, (W.T @ PSI) @ (W.T @ PSI)
    rho *= ALPHA * square  # So much that the latent's help is half of it.
    here, there = of_linear_gan(Z), of_linear_gan(Z + ALPHA * W.T @ PSI)
    for player, sign in ((GENERATOR, 1), (DISCRIMINATOR, -1)):
        game = logan()
        before = float(game.score(tf.constant(Z[None]), None)[0])
        slope = there[player]
        length = (rho - sign * ALPHA * square) / np.linalg.norm(slope)
        alone = rho / np.linalg.norm(here[player])
        direction = sign * length * slope / np.linalg.norm(slope)
        moved = game.latent_rule.optimizer(
            tf.constant(Z[None]), lambda z, game=game: game.score(z, None)
        ).latents
        parts = np.split(direction, [6]) if player == GENERATOR else [direction]
        for variable, part in zip(game.variables(player), parts, strict=True):
            variable.assign_add(np.reshape(part, variable.shape))
        after = float(game.score(moved, None)[0])
        assert after - before == pytest.approx(sign * rho, rel=1e-12)
        assert (length < alone) == (player == GENERATOR)


def test_plain_descent_is_equation_3():
    """As the base of what is compared above."""
    found = update(zero_sum(curved), Plain())
    of_x, of_y, _ = slopes(X, Y)
    np.testing.assert_allclose(found[GENERATOR], -of_x, rtol=1e-13)
    np.testing.assert_allclose(found[DISCRIMINATOR], of_y, rtol=1e-13)
