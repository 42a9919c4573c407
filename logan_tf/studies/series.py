"""Series of a training's metrics: moving averages and the normalization of App. F."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

WINDOW = 20


def moving_average(series: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """μ_t, eq. 45: [n] → [n − window + 1], the mean of x_t to x_{t+window−1}."""
    return _windows(series, window).mean(axis=-1)


def normalized(series: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """x_t / σ_t, eqs. 46 and 47: [n] → [n − window + 1]; NaN where σ_t is 0.

    σ_t is the deviation of x_t to x_{t+window−1} around their own mean, with window − 1
    degrees of freedom: eq. 46 prints μ_u for μ_t.
    """
    deviations = _windows(series, window).std(axis=-1, ddof=1)
    start = np.asarray(series, np.float64)[: len(deviations)]
    return np.divide(
        start, deviations, out=np.full_like(start, np.nan), where=deviations > 0
    )


def moving_median(series: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """[n] → [n − window + 1], NaN left out."""
    return np.nanmedian(_windows(series, window), axis=-1)


def at_most(window: int, length: int) -> int:
    """A window that leaves at least half of a series of 3 or more."""
    return max(2, min(window, length // 4))


def _windows(series: np.ndarray, window: int) -> np.ndarray:
    return sliding_window_view(np.asarray(series, np.float64), window)
