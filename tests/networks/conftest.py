"""Convolutions in NumPy, as nested loops over positions."""

from collections.abc import Callable

import keras
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(0)


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _convolve(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    size, width = x.shape[1], kernel.shape[0]
    padding = _padding(size, width, stride)
    x = np.pad(x, ((0, 0), padding, padding, (0, 0)))
    outputs = range(-(-size // stride))
    rows = []
    for i in outputs:
        patches = [
            x[:, stride * i : stride * i + width, stride * j : stride * j + width]
            for j in outputs
        ]
        rows.append([np.tensordot(patch, kernel, 3) for patch in patches])
    return np.transpose(rows, (2, 0, 1, 3))


def _upsample(x: np.ndarray, kernel: np.ndarray, size: int) -> np.ndarray:
    """The transpose of `_convolve` by stride 2 from `size`; kernel [h, w, out, in]."""
    width, (low, high) = kernel.shape[0], _padding(size, kernel.shape[0], 2)
    whole = size + low + high
    y = np.zeros((len(x), whole, whole, kernel.shape[2]))
    for i in range(x.shape[1]):
        for j in range(x.shape[1]):
            patch = np.einsum("bc,hwoc->bhwo", x[:, i, j], kernel)
            y[:, 2 * i : 2 * i + width, 2 * j : 2 * j + width] += patch
    return y[:, low : low + size, low : low + size]


@pytest.fixture(scope="session")
def convolve() -> Callable:
    """(x [b, n, n, c], kernel [k, k, c, d], stride) → "same" convolution."""
    return _convolve


@pytest.fixture(scope="session")
def upsample() -> Callable:
    """(x [b, n, n, c], kernel [k, k, d, c], size) → [b, size, size, d]."""
    return _upsample
