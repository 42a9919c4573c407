"""Distances of distributions on the line, by quadrature or samples; and of points on
parallel lines (Arjovsky et al. 2017, Example 1). In nats where they are divergences.
"""

import numpy as np

EDGES = np.linspace(-15, 15, 30_001)
_NOTHING = 1e-250  # a density that rounding may make 0 as soon as it is halved


def gaussian(x: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    """The density of N(mean, deviation²)."""
    scaled = (x - mean) / deviation
    return np.exp(-(scaled**2) / 2) / (deviation * np.sqrt(2 * np.pi))


def kl(p: np.ndarray, q: np.ndarray, x: np.ndarray = EDGES) -> float:
    """KL(p ‖ q) = ∫ p ln(p/q) of densities on a grid; infinite where q is 0 first."""
    known = p > _NOTHING
    if np.any(q[known] == 0):
        return float("inf")
    terms = np.zeros_like(p)
    terms[known] = p[known] * np.log(p[known] / q[known])
    return float(np.trapezoid(terms, x))


def js(p: np.ndarray, q: np.ndarray, x: np.ndarray = EDGES) -> float:
    """Jensen–Shannon: ½ KL(p ‖ m) + ½ KL(q ‖ m), m their mean; at most ln 2."""
    mean = (p + q) / 2
    return (kl(p, mean, x) + kl(q, mean, x)) / 2


def total_variation(p: np.ndarray, q: np.ndarray, x: np.ndarray = EDGES) -> float:
    """½ ∫ |p − q|, in [0, 1]."""
    return float(np.trapezoid(np.abs(p - q), x)) / 2


def earth_mover(p: np.ndarray, q: np.ndarray, x: np.ndarray = EDGES) -> float:
    """∫ |F_p − F_q| of the distribution functions."""
    width = np.diff(x)
    middles = [np.cumsum((d[1:] + d[:-1]) / 2 * width) for d in (p, q)]
    return float(np.sum(np.abs(middles[0] - middles[1]) * width))


def parallel_lines(theta: float) -> dict[str, float]:
    """Of (0, Z) and (θ, Z), Z uniform: two lines that do not meet unless θ = 0."""
    apart = theta != 0
    return {
        "EM": abs(theta),
        "JS": np.log(2) if apart else 0.0,
        "KL": float("inf") if apart else 0.0,
        "total variation": 1.0 if apart else 0.0,
    }
