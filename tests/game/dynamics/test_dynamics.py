"""All dynamics at once: what they do to games whose dynamics have closed forms.

A row of a table is a method. J of the bilinear, the quadratic and the circular game is
normal, so that a step acts on each eigenvalue λ of J for itself; d is what J has on its
diagonal. Where a method remembers something, μ are roots of a polynomial.
"""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.competitive import (
    AdaptiveCompetitiveGradientDescent,
    CompetitiveGradientDescent,
)
from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.extrapolation_from_the_past import (
    ExtrapolationFromThePast,
)
from logan_tf.game.dynamics.follow_the_ridge import FollowTheRidge
from logan_tf.game.dynamics.joint_gradient_norm import JointGradientNorm
from logan_tf.game.dynamics.momentum import Momentum
from logan_tf.game.dynamics.nagarajan_kolter import NagarajanKolter
from logan_tf.game.dynamics.optimistic import Optimistic
from logan_tf.game.dynamics.plain import Plain
from logan_tf.game.dynamics.symplectic import SymplecticGradientAdjustment
from logan_tf.game.dynamics.unrolled import Unrolled
from logan_tf.game.field import Field
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.lab import toys
from logan_tf.lab.descent import Descent

ETA, WEIGHT, BETA = 0.3, 0.4, -0.4
SGA = SymplecticGradientAdjustment
ALTERNATING = [[DISCRIMINATOR], [GENERATOR]]


def cgd(rate=ETA, **settings):
    return CompetitiveGradientDescent(rate, **{"tolerance": 0.0} | settings)


def acgd(rate=ETA, **settings):
    return AdaptiveCompetitiveGradientDescent(rate, **{"tolerance": 0.0} | settings)


# name → (dynamics, (λ, d) → a number or the coefficients of a polynomial in μ).
NORMAL = {
    "plain": (Plain, lambda x, d: 1 - ETA * x),
    "consensus": (
        lambda: Consensus(WEIGHT),
        lambda x, d: 1 - ETA * (x + WEIGHT * abs(x) ** 2),
    ),
    "joint_gradient_norm": (JointGradientNorm, lambda x, d: 1 - ETA * abs(x) ** 2),
    "symplectic": (
        lambda: SGA(WEIGHT),
        lambda x, d: 1 - ETA * (x - 1j * WEIGHT * x.imag * x),
    ),
    "symplectic_aligned": (
        lambda: SGA(WEIGHT, align=True),
        lambda x, d: 1 - ETA * (x - 1j * WEIGHT * x.imag * x),
    ),
    "extragradient": (Extragradient, lambda x, d: 1 - ETA * x + (ETA * x) ** 2),
    "extrapolation_from_the_past": (
        ExtrapolationFromThePast,
        lambda x, d: [1, 2 * ETA * x - 1, -ETA * x],
    ),
    "optimistic": (Optimistic, lambda x, d: [1, 2 * ETA * x - 1, -ETA * x]),
    "competitive": (cgd, lambda x, d: 1 - ETA * x / (1 + ETA * (x - d))),
    "competitive_cold": (
        lambda: cgd(warm_start=False),
        lambda x, d: 1 - ETA * x / (1 + ETA * (x - d)),
    ),
    "momentum": (lambda: Momentum(BETA), lambda x, d: [1, ETA * x - 1 - BETA, BETA]),
}
OTHERS = {
    "nagarajan_kolter": lambda: NagarajanKolter(WEIGHT),
    "unrolled": lambda: Unrolled(3, 0.05),
    "unrolled_adam": lambda: Unrolled(3, 0.05, adam=True),
    "unrolled_both": lambda: Unrolled(2, 0.05, players=weights.PLAYERS),
    "follow_the_ridge": lambda: FollowTheRidge(damping=0.0, tolerance=0.0),
    "competitive_adaptive": lambda: acgd(),
}
ALL = {name: make for name, (make, _) in NORMAL.items()} | OTHERS
GAMES = {
    # The game, the eigenvalues of its Jacobian, and the diagonal of that.
    "bilinear": (lambda: toys.bilinear(1.5), [1.5j], 0.0),
    "quadratic": (lambda: toys.quadratic(0.3, 1.5), [0.3 + 1.5j], 0.3),
    "circle": (
        lambda: toys.circle(0.2),
        [0.2 + np.exp(2j * np.pi * k / 3) for k in range(3)],
        0.2,
    ),
}


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


def largest(values):
    """The largest |μ| of numbers and of polynomials' roots."""
    return max(np.abs(np.roots(v)).max() if np.ndim(v) else abs(v) for v in values)


def update(toy, dynamics, players=None):
    """What the dynamics make of a toy's field, flat, and their field."""
    dynamics.build(toy.weights(), lambda v: weights.moved(toy.weights(), v, -ETA))
    field = Field(toy, None, tuple(players or toy.variables))
    return {p: float(w[0]) for p, (w,) in dynamics(field).items()}


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("name", NORMAL)
def test_the_spectral_radius_is_the_closed_form(name, game):
    make, factor = NORMAL[name]
    toy, eigenvalues, diagonal = GAMES[game]
    found = radius(Descent(toy(), make(), ETA).matrix())
    expected = largest([factor(complex(x), diagonal) for x in eigenvalues])
    assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("slope", [0.4, 1.0, 1.5, 2.0])
def test_closed_forms_of_the_bilinear_game(slope):
    """Those of one number, as their sources give them."""
    s = ETA * slope

    def found(dynamics, schedule=None):
        return Descent(toys.bilinear(slope), dynamics, ETA, schedule).matrix()

    assert radius(found(Plain())) ** 2 == pytest.approx(1 + s**2, abs=1e-10)
    assert radius(found(Plain(), ALTERNATING)) == pytest.approx(1, abs=1e-7)
    expected = (1 - ETA * WEIGHT * slope**2) ** 2 + s**2
    for dynamics in (Consensus(WEIGHT), SGA(WEIGHT)):
        assert radius(found(dynamics)) ** 2 == pytest.approx(expected, abs=1e-10)
    expected = np.sqrt(1 - s**2 + s**4)
    assert radius(found(Extragradient())) == pytest.approx(expected, abs=1e-10)
    if s <= 0.5:
        expected = (1 + np.sqrt(1 - 4 * s**2)) / 2
    else:
        expected = 1 / 4 + (s + np.sqrt(4 * s**2 - 1) / 2) ** 2
    for dynamics in (ExtrapolationFromThePast(), Optimistic()):
        assert radius(found(dynamics)) ** 2 == pytest.approx(expected, abs=1e-10)
    assert radius(found(cgd())) == pytest.approx(1 / np.sqrt(1 + s**2), abs=1e-10)
    determinants = {
        NagarajanKolter(WEIGHT): 1 - 2 * ETA * WEIGHT * slope**2 + s**2,
        Unrolled(4, 0.05): 1 - 2 * ETA * 4 * 0.05 * slope**2 + s**2,
    }
    for dynamics, expected in determinants.items():
        matrix = found(dynamics)
        assert np.linalg.det(matrix) == pytest.approx(expected, abs=1e-10)
        # Of the discriminator's row nothing changes.
        np.testing.assert_allclose(matrix[0], [1, s], rtol=0, atol=1e-12)


@pytest.mark.parametrize("betas", [(-0.5, -0.5), (-0.5, 0.0), (0.0, -0.4), (0.3, 0.1)])
@pytest.mark.parametrize("slope", [1.0, 2.9, 4.0])
def test_alternating_momentum(betas, slope):
    beta = dict(zip(ALTERNATING[0] + ALTERNATING[1], betas, strict=True))
    toy = toys.bilinear(slope)
    found = radius(Descent(toy, Momentum(beta), ETA, ALTERNATING).matrix())
    first, second = (np.poly1d([1, -(1 + b), b]) for b in betas)
    s = ETA * slope
    polynomial = first * second + np.poly1d([s**2, 0, 0, 0])
    assert found == pytest.approx(largest([polynomial.coeffs]), abs=1e-10)
    if min(betas) < 0:
        limit = 2 * np.sqrt((1 + betas[0]) * (1 + betas[1]))
        assert (found < 1) == (s < limit)


@pytest.mark.parametrize(
    ("p", "q", "plain", "ridge"), [(-3, -1, 1.1, 0.9), (3, 1, 0.9, 1.1)]
)
def test_follow_the_ridge_finds_minimax_points_alone(p, q, plain, ridge):
    toy = toys.saddle(p, q, 4)
    assert radius(Descent(toy, Plain(), 0.05).matrix()) == pytest.approx(
        plain, abs=1e-7
    )
    dynamics = OTHERS["follow_the_ridge"]()
    found = radius(Descent(toy, dynamics, 0.05).matrix())
    assert found == pytest.approx(ridge, abs=1e-10)


def test_rates_of_leader_and_follower():
    """A follower twice as fast makes up for half as much."""
    dynamics = FollowTheRidge(0.5, damping=0.0)
    rates = {GENERATOR: 0.05, DISCRIMINATOR: 0.1}
    found = Descent(toys.saddle(-3, -1, 4), dynamics, rates).matrix()
    # D = 2x, and y ← y − .1 (2y − 4x) − .05 · 2 · 2x, as −J_yy⁻¹ J_yx is 2.
    np.testing.assert_allclose(found, [[0.8, 0.2], [0, 0.9]], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ALL)
def test_a_fixed_point_stays_one(name):
    toy = toys.dirac()
    for variable in toy.variables.values():
        variable.assign([0.0])
    descent = Descent(toy, ALL[name](), ETA)
    assert not descent.trajectory(3).any()


@pytest.mark.parametrize("name", ALL)
def test_a_potential_game(name):
    """Symplectic adjustment has nothing to adjust there; others do."""
    plain, found = (update(toys.potential(), make()) for make in (Plain, ALL[name]))
    same = np.allclose(list(found.values()), list(plain.values()), rtol=1e-12)
    untouched = {"plain", "symplectic", "symplectic_aligned", "momentum"}
    # Nothing is remembered in a first update.
    assert same == (name in untouched | {"extrapolation_from_the_past", "optimistic"})


class Counting(toys.Toy):
    """Counts how often it is played; a loss that is asked for is one more."""

    played = 0

    def play(self, *args):
        before = self.played
        found = super().play(*args)
        self.played = before + 1  # Whatever losses it took.
        return found

    def loss(self, *args):
        self.played += 1
        return super().loss(*args)


@pytest.mark.parametrize("name", ALL)
def test_an_update_plays_as_often_as_documented(name):
    toy = toys.dirac()
    counting = Counting(toy.losses, {p: v.numpy() for p, v in toy.variables.items()})
    dynamics = ALL[name]()
    update(counting, dynamics)
    assert counting.played == dynamics.evaluations


@pytest.mark.parametrize("name", ALL)
def test_updates_of_one_player_are_its_part_or_need_all(name):
    """Momentum and what is kept apart, an update of one is its part in that of all."""
    toy, dynamics = toys.dirac(), ALL[name]()
    whole = update(toy, dynamics)
    for player in toy.variables:
        if not dynamics.needs_all_players:
            found = update(toy, ALL[name](), [player])
            assert found == {player: pytest.approx(whole[player], rel=1e-12)}


@pytest.mark.parametrize("growth", [-0.5, 0.5])
def test_alignment_flees_unstable_points(growth):
    """At a fixed point that repels, the aligned adjustment changes its sign."""
    toy = toys.quadratic(growth, 1.0)
    for variable in toy.variables.values():
        variable.assign([3.0])  # So far away that the tilt does not matter.
    plain, free, aligned = (
        np.array(list(update(toy, make).values()))
        for make in (Plain(), SGA(WEIGHT), SGA(WEIGHT, align=True))
    )
    np.testing.assert_allclose(aligned - plain, np.sign(growth) * (free - plain))
    near = toys.quadratic(growth, 1.0)
    for variable in near.variables.values():
        variable.assign([1e-3])
    free, aligned = (update(near, SGA(WEIGHT, align)) for align in (False, True))
    assert free == aligned


def test_adaptive_competition_by_a_dense_solution():
    """Three steps of three numbers against two, ω ← ω − s of (I + HN) s = Hv."""
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(5, 5))
    first, second = slice(0, 3), slice(3, 5)

    def loss(player, own, other, rival):
        block, coupling = jacobian[own, own], jacobian[own, other]
        symmetric = (block + block.T) / 2

        def value(at):
            w = at[player]
            own_part = tf.tensordot(w, tf.linalg.matvec(symmetric, w), 1) / 2
            return own_part + tf.tensordot(w, tf.linalg.matvec(coupling, at[rival]), 1)

        return value

    start = rng.normal(size=5)
    losses = {"a": loss("a", first, second, "b"), "b": loss("b", second, first, "a")}
    toy = toys.Toy(losses, {"a": start[first], "b": start[second]})
    dynamics = acgd(0.1, iterations=6, beta=0.9, epsilon=1e-3)
    path = Descent(toy, dynamics, 0.1).trajectory(3)
    full, coupled = jacobian.copy(), jacobian.copy()
    for own in (first, second):
        full[own, own] = (jacobian[own, own] + jacobian[own, own].T) / 2
        coupled[own, own] = 0
    at, square = start, np.zeros(5)
    for count in range(1, 4):
        v = full @ at
        square = 0.9 * square + 0.1 * v**2
        rates = 0.1 / (np.sqrt(square / (1 - 0.9**count)) + 1e-3)
        at = at - np.linalg.solve(np.eye(5) + rates[:, None] * coupled, rates * v)
        np.testing.assert_allclose(path[count], at, rtol=1e-8)


def test_the_joint_gradients_norm_has_false_fixed_points():
    """It goes to 0, the maximum of both players' losses, where plain descent flees."""
    plain, found = (
        Descent(toys.quadratic(-0.5, 1.0), dynamics, ETA).trajectory(200)
        for dynamics in (Plain(), JointGradientNorm())
    )
    assert np.linalg.norm(plain[-1]) > 1e3
    assert np.linalg.norm(found[-1]) < 1e-10


def test_endings_of_the_dirac_gan():
    """From (1, 1), η = 0.2, 500 steps, in the order of magnitude of other runs."""
    endings = {
        Plain(): 3.4,
        Consensus(1.0): 1e-10,
        SGA(1.0): 1e-10,
        NagarajanKolter(0.5): 4e-5,
        Extragradient(): 0.12,
        Optimistic(): 0.12,
        cgd(0.2): 0.12,
    }
    for dynamics, expected in endings.items():
        ended = Descent(toys.dirac(), dynamics, 0.2).trajectory(500)[-1]
        assert 0.5 < np.linalg.norm(ended) / expected < 2, type(dynamics).__name__


def test_optimistic_iterates_follow_their_rule():
    """ω = 2 z_t − z_{t−1} of the weights z, and ω_{t+1} = ω_t − 2ηv_t + ηv_{t−1}."""
    z = Descent(toys.dirac(), Optimistic(), ETA).trajectory(20)
    omega = np.concatenate([z[:1], 2 * z[1:] - z[:-1]])

    def field(at):
        slope = 1 / (1 + np.exp(-at[0] * at[1]))
        return slope * np.array([at[1], -at[0]])

    v = np.array([field(at) for at in omega])
    found = omega[2:] - omega[1:-1]
    np.testing.assert_allclose(found, ETA * (v[:-2] - 2 * v[1:-1]), atol=1e-13)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Consensus(-1.0), "Consensus.weight must be 0 or more, not -1"),
        (lambda: SGA(-1.0), "Adjustment.weight must be 0 or more, not -1"),
        (lambda: NagarajanKolter(-1.0), "Kolter.weight must be 0 or more, not -1"),
        (lambda: Unrolled(0), "steps must be 1 or more .* not 0 and 0.001"),
        (lambda: Unrolled(1, 0.0), "rate above 0, not 1 and 0.0"),
        (lambda: Unrolled(beta_1=1.0), r"beta_1 must be in \(−1, 1\) .* not 1.0"),
        (lambda: Unrolled(beta_2=0.0), r"beta_2 in \(0, 1\), not 0.5 and 0.0"),
        (lambda: cgd(0.0), "rate must be above 0"),
        (lambda: acgd(0.0), "AdaptiveCompetitiveGradientDescent.rate must be above 0"),
        (lambda: acgd(beta=1.0), r"beta must be in \(0, 1\) .* not 1.0 and 1e-05"),
        (lambda: acgd(epsilon=0.0), "epsilon above 0, not 0.99 and 0.0"),
        (lambda: cgd(iterations=0), "iterations 1 or more"),
        (lambda: cgd(tolerance=-1.0), "tolerance 0 or more"),
        (lambda: FollowTheRidge(0.0), "rate_ratio must be above 0"),
        (lambda: FollowTheRidge(iterations=0), "iterations 1 or more"),
        (lambda: FollowTheRidge(damping=-1.0), "damping 0 or more"),
        (lambda: Momentum(-1.0), r"beta must be in \(−1, 1\), not -1"),
        (lambda: Momentum({GENERATOR: 1.0}), r"beta must be in \(−1, 1\)"),
        (
            lambda: Descent(toys.dirac(), Momentum({"critic": 0.1}), 1.0),
            "names 'critic': the players are discriminator and generator",
        ),
        (
            lambda: Descent(toys.circle(), FollowTheRidge(), 1.0),
            "needs the players generator and discriminator, not a and b and c",
        ),
    ],
)
def test_what_is_out_of_range_is_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
