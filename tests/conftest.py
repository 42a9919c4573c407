"""Fixtures for tests that compare gradients with finite differences."""

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import pytest


@pytest.fixture
def float64() -> Iterator[None]:
    """Layers that are built meanwhile compute in float64."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


@pytest.fixture(scope="session")
def central_difference() -> Callable:
    """(function, variables, directions) → the function's slope along the directions.

    The variables are put back as they were, bit for bit.
    """

    def slope(
        function: Callable, variables: Sequence, directions: Sequence, h: float = 1e-6
    ) -> np.ndarray:
        start = [np.array(variable) for variable in variables]
        values = []
        for sign in (1, -1):
            for variable, at, along in zip(variables, start, directions, strict=True):
                variable.assign(at + sign * h * along)
            values.append(np.array(function()))
        for variable, at in zip(variables, start, strict=True):
            variable.assign(at)
        return (values[0] - values[1]) / (2 * h)

    return slope
