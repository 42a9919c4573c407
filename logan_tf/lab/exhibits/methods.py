"""All dynamics with the rate that each has, by its closed form, on f = a xy.

Around the equilibrium of any game without curvature of the players' own, such as the
Dirac-GAN, their rates are the same with a the slope there.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from logan_tf.game.dynamics.competitive import CompetitiveGradientDescent
from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.dynamics import Dynamics
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
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.lab.descent import Descent
from logan_tf.lab.toys import Toy

ALTERNATING = ((DISCRIMINATOR,), (GENERATOR,))
BOTH = ((DISCRIMINATOR, GENERATOR),)
BETA = -0.5
STEPS, AHEAD = 5, 0.1


class Method(NamedTuple):
    """Dynamics under a schedule.

    Attributes:
      label: in words.
      make: η → new dynamics.
      rate: (η, a) → the spectral radius of an update.
      schedule: who moves, one update after the other.
    """

    label: str
    make: Callable[[float], Dynamics]
    rate: Callable[[float, float], float]
    schedule: tuple[tuple[str, ...], ...] = BOTH

    def descent(self, toy: Toy, rate: float) -> Descent:
        """It plays a toy."""
        return Descent(toy, self.make(rate), rate, self.schedule)


def optimistic(eta: float, a: float) -> float:
    """Daskalakis et al. 2018; the limit of convergence is ηa = 1/√3."""
    s = eta * a
    if s <= 0.5:
        return float(np.sqrt((1 + np.sqrt(1 - 4 * s**2)) / 2))
    return float(np.sqrt(0.25 + (s + np.sqrt(4 * s**2 - 1) / 2) ** 2))


def momentum(s: float, of_d: float, of_g: float, alternating: bool) -> float:
    """The largest root of the characteristic polynomial (Gidel et al. 2019)."""
    d, g = (np.poly1d([1, -(1 + beta), beta]) for beta in (of_d, of_g))
    last = [s**2, 0, 0, 0] if alternating else [s**2, 0, 0]
    return float(np.abs((d * g + np.poly1d(last)).roots).max())


def _plain(eta: float, a: float) -> float:
    return float(np.hypot(1, eta * a))


def _extragradient(eta: float, a: float) -> float:
    return float(np.sqrt(1 - (eta * a) ** 2 + (eta * a) ** 4))


def _adjusted(eta: float, a: float) -> float:
    """Consensus and symplectic adjustment, of weight 1."""
    return float(np.hypot(1 - eta * a**2, eta * a))


def _determinant(weight: float) -> Callable[[float, float], float]:
    """Where G alone is adjusted: det of the update, whose eigenvalues are a pair."""
    return lambda eta, a: float(np.sqrt(1 - 2 * eta * weight * a**2 + (eta * a) ** 2))


METHODS = (
    Method("simultaneous", lambda eta: Plain(), _plain),
    Method("alternating", lambda eta: Plain(), lambda eta, a: 1.0, ALTERNATING),
    Method("extragradient", lambda eta: Extragradient(), _extragradient),
    Method(
        "extrapolation from the past",
        lambda eta: ExtrapolationFromThePast(),
        optimistic,
    ),
    Method("optimistic", lambda eta: Optimistic(), optimistic),
    Method("consensus, γ 1", lambda eta: Consensus(1.0), _adjusted),
    Method(
        "symplectic adjustment, λ 1",
        lambda eta: SymplecticGradientAdjustment(1.0),
        _adjusted,
    ),
    Method(
        "Nagarajan–Kolter, ζ ½", lambda eta: NagarajanKolter(0.5), _determinant(0.5)
    ),
    Method(
        "unrolled, 5 steps of 0.1",
        lambda eta: Unrolled(STEPS, AHEAD),
        _determinant(STEPS * AHEAD),
    ),
    Method(
        "competitive",
        lambda eta: CompetitiveGradientDescent(eta, tolerance=0.0),
        lambda eta, a: 1 / _plain(eta, a),
    ),
    Method("follow the ridge", lambda eta: FollowTheRidge(), _plain),
    Method(
        "momentum −½, simultaneous",
        lambda eta: Momentum(BETA),
        lambda eta, a: momentum(eta * a, BETA, BETA, False),
    ),
    Method(
        "momentum −½, alternating",
        lambda eta: Momentum(BETA),
        lambda eta, a: momentum(eta * a, BETA, BETA, True),
        ALTERNATING,
    ),
    Method(
        "joint gradient norm",
        lambda eta: JointGradientNorm(),
        lambda eta, a: abs(1 - eta * a**2),
    ),
)
