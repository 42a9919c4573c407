"""The eigenvalues of a game's Jacobian: how it turns and grows, and whose doing it is.

J u = λu with ‖u‖ = 1: simultaneous descent of rate η multiplies what is along u by
1 − ηλ. λ > 0 is a player's own curvature, an imaginary pair a rotation (Mescheder et
al. 2017). J is not normal, so eigenvectors are no orthogonal basis, and shares of the
gradient need not add up to 1.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from logan_tf.errors import ConfigurationError
from logan_tf.game.field import Field, Playable
from logan_tf.game.weights import Weights

WHICH = ("LM", "LR", "LI")
"""Largest in modulus, in real part, in imaginary part. Not the smallest: ARPACK takes
thousands of products for those.
"""
MOST_DENSE = 1000  # weights of a game whose whole Jacobian is built
_MORE = 2  # eigenvalues than wanted, as the last one may be half of a pair
_SAME = 1e-3  # of the largest: two eigenvalues are one


class Spectrum(NamedTuple):
    """Some or all eigenvalues, the largest in modulus first.

    Attributes:
      values: λ, complex128 [n].
      vectors: u, complex128 [size, n], of length 1.
      shares: by player ‖u_player‖², float64 [n], which add up to 1 over the players.
      gradient: |c|² / ‖v‖², float64 [n], where v = Σ c u; NaN for v = 0.
    """

    values: np.ndarray
    vectors: np.ndarray
    shares: dict[str, np.ndarray]
    gradient: np.ndarray


class Jacobian:
    """J of a game at the players' own weights, by its products with flat vectors.

    Args:
      game: of any number of players, who are all part of it.
      round_: what is played; another one of the same shapes may take its place.

    Attributes:
      round: as above.
      sizes: how many weights each player has, in their order.
    """

    def __init__(self, game: Playable, round_: Any) -> None:
        self.round = round_
        self._like = game.weights()
        self.sizes = {
            player: sum(int(tf.size(w)) for w in tensors)
            for player, tensors in self._like.items()
        }
        players = tuple(self._like)
        self._field = tf.function(lambda r: Field(game, r, players)())
        self._along = tf.function(lambda r, u: Field(game, r, players).along(u))
        self._transposed = tf.function(
            lambda r, u: Field(game, r, players).transposed(u)
        )

    @property
    def size(self) -> int:
        """The number of all players' weights."""
        return sum(self.sizes.values())

    def gradient(self) -> np.ndarray:
        """v, float64 [size]."""
        return self._flat(self._field(self.round))

    def along(self, u: np.ndarray) -> np.ndarray:
        """J u, float64 [size]."""
        return self._flat(self._along(self.round, self._shaped(u)))

    def transposed(self, u: np.ndarray) -> np.ndarray:
        """J'u, float64 [size]."""
        return self._flat(self._transposed(self.round, self._shaped(u)))

    def matrix(self) -> np.ndarray:
        """J, float64 [size, size], row by row: each costs a backward pass over v."""
        return np.stack([self.transposed(unit) for unit in np.eye(self.size)])

    def _flat(self, vector: Weights) -> np.ndarray:
        return np.concatenate(
            [np.ravel(w).astype(np.float64) for p in self._like for w in vector[p]]
        )

    def _shaped(self, flat: np.ndarray) -> Weights:
        like = tf.nest.flatten(list(self._like.values()))
        ends = np.cumsum([int(tf.size(w)) for w in like])
        parts = iter(
            tf.constant(np.reshape(part, w.shape), w.dtype)
            for part, w in zip(np.split(flat, ends[:-1]), like, strict=True)
        )
        return {p: [next(parts) for _ in tensors] for p, tensors in self._like.items()}


def of(jacobian: Jacobian, num: int = 20) -> Spectrum:
    """All eigenvalues of a small game, the `num` largest ones of another."""
    return dense(jacobian) if jacobian.size <= MOST_DENSE else leading(jacobian, num)


def dense(jacobian: Jacobian) -> Spectrum:
    """All eigenvalues, of the whole matrix."""
    values, vectors = np.linalg.eig(jacobian.matrix())
    v = jacobian.gradient()
    coefficients = np.linalg.lstsq(vectors, v.astype(complex), rcond=None)[0]
    return _spectrum(jacobian.sizes, values, vectors, coefficients, v)


def leading(
    jacobian: Jacobian, num: int = 6, which: str = "LM", tolerance: float = 1e-6
) -> Spectrum:
    """Some eigenvalues by Arnoldi's method, on products with J, and with J' for c.

    Args:
      jacobian: of a game of any size; where it has hardly more weights than are asked
        for, the whole matrix is taken.
      num: how many, 1 or more. Less are found where the method does not converge.
      which: of `WHICH`.
      tolerance: of an eigenvalue, relative; not below the precision of the weights.

    Raises:
      ConfigurationError: for an argument out of its range.
    """
    if num < 1 or which not in WHICH:
        raise ConfigurationError(
            f"a spectrum has 1 eigenvalue or more, by {', '.join(WHICH)}, not {num} by "
            f"{which}"
        )
    if num + _MORE >= jacobian.size - 1:
        return _first(dense(jacobian), num, which)
    right, vectors = _arnoldi(jacobian, jacobian.along, num, which, tolerance)
    left, duals = _arnoldi(jacobian, jacobian.transposed, num, which, tolerance)
    mine, theirs = _matched(right, left)
    vectors, duals, v = vectors[:, mine], duals[:, theirs], jacobian.gradient()
    # Eigenvectors of J' see those of J of other eigenvalues as 0.
    coefficients = np.linalg.lstsq(duals.T @ vectors, duals.T @ v, rcond=None)[0]
    found = _spectrum(jacobian.sizes, right[mine], vectors, coefficients, v)
    return _first(found, num, which)


def scalars(spectrum: Spectrum, num: int = 6) -> dict[str, float]:
    """Numbers of the first eigenvalues by name; of a pair the upper one speaks."""
    found: dict[str, float] = {}
    upper = np.flatnonzero(spectrum.values.imag >= 0)
    for place, at in enumerate(upper[:num], 1):
        numbers = {
            "real": spectrum.values[at].real,
            "imaginary": spectrum.values[at].imag,
            "share_of_gradient": spectrum.gradient[at],
        }
        numbers |= {f"share_of_{p}": share[at] for p, share in spectrum.shares.items()}
        found |= {f"eigenvalue_{place}_{name}": float(x) for name, x in numbers.items()}
    return found


def _arnoldi(
    jacobian: Jacobian, product: Any, num: int, which: str, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    shape = (jacobian.size, jacobian.size)
    start = np.random.default_rng(0).normal(size=jacobian.size)
    operator = LinearOperator(shape, matvec=product, dtype=np.float64)
    settings = {"which": which, "tol": tolerance, "v0": start}
    try:
        return eigs(operator, num + _MORE, **settings)
    except ArpackNoConvergence as error:
        return error.eigenvalues, error.eigenvectors


def _matched(first: np.ndarray, second: np.ndarray) -> tuple[list[int], list[int]]:
    """Places of eigenvalues that both have, each of them once."""
    free, pairs = set(range(len(second))), []
    scale = _SAME * np.abs(first).max(initial=0)
    for place, value in enumerate(first):
        near = min(free, key=lambda j: abs(second[j] - value), default=None)
        if near is not None and abs(second[near] - value) <= scale:
            free.remove(near)
            pairs.append((place, near))
    return [a for a, _ in pairs], [b for _, b in pairs]


def _first(spectrum: Spectrum, num: int, which: str) -> Spectrum:
    """The `num` that were asked for, and the other half of the last one's pair."""
    sizes = {"LM": np.abs, "LR": np.real, "LI": lambda x: np.abs(np.imag(x))}
    size = sizes[which](spectrum.values)
    order = np.argsort(-size, kind="stable")
    kept = order[: num + 1]
    values = spectrum.values[kept]
    if len(kept) > num and not np.isclose(values[-1], values[-2].conj(), rtol=_SAME):
        kept = kept[:num]
    kept = np.sort(kept)
    return Spectrum(
        spectrum.values[kept],
        spectrum.vectors[:, kept],
        {player: share[kept] for player, share in spectrum.shares.items()},
        spectrum.gradient[kept],
    )


def _spectrum(
    sizes: Mapping[str, int],
    values: np.ndarray,
    vectors: np.ndarray,
    coefficients: np.ndarray,
    v: np.ndarray,
) -> Spectrum:
    """Sorted by modulus, of a pair the upper one first."""
    order = np.lexsort((-values.imag, -np.abs(values).round(12)))
    vectors = vectors[:, order].astype(np.complex128)
    squares = np.abs(vectors) ** 2
    parts = np.split(squares, np.cumsum(list(sizes.values()))[:-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        gradient = np.abs(coefficients[order]) ** 2 / (v @ v)
    return Spectrum(
        values[order].astype(np.complex128),
        vectors,
        {p: part.sum(axis=0) for p, part in zip(sizes, parts, strict=True)},
        gradient,
    )
