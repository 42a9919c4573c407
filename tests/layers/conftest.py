"""Derivatives of layers along random directions, against finite differences."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def check_derivatives(central_difference: Callable) -> Callable:
    """(function of x, x float64, variables) → checks first and second derivatives.

    The loss is a weighted sum of squares of the function, so that its second derivative
    in x is not only the function's own. The second derivative is that of LOGAN: ∂/∂v of
    the loss's slope in x, for v = x and each variable.
    """

    def check(function: Callable, x: np.ndarray, variables=(), h: float = 1e-6) -> None:
        rng = np.random.default_rng(7)
        point, along_x = tf.Variable(x), rng.normal(size=x.shape)
        weights = rng.normal(size=function(x).shape)
        everything = [point, *variables]
        values = [getattr(v, "value", v) for v in variables]

        def loss() -> tf.Tensor:
            y = function(point.read_value())
            return tf.reduce_sum(weights * (y + y**2))

        def derivatives():
            inputs = [point.read_value(), *values]
            with tf.GradientTape() as outer:
                outer.watch(inputs[0])
                with tf.GradientTape(persistent=True) as inner:
                    inner.watch(inputs[0])
                    y = function(inputs[0])
                    value = tf.reduce_sum(weights * (y + y**2))
                first = inner.gradient(value, inputs)
                slope = tf.reduce_sum(first[0] * along_x)
            second = outer.gradient(slope, inputs, unconnected_gradients="zero")
            return first, second

        def slope_in_x() -> tf.Tensor:
            inputs = point.read_value()
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = function(inputs)
                value = tf.reduce_sum(weights * (y + y**2))
            return tf.reduce_sum(tape.gradient(value, inputs) * along_x)

        loss, slope_in_x = map(tf.function, (loss, slope_in_x))
        found = tf.function(derivatives)()
        for of, gradients in zip((loss, slope_in_x), found, strict=True):
            for variable, gradient in zip(everything, gradients, strict=True):
                along = rng.normal(size=variable.shape)
                expected = central_difference(of, [variable], [along], h)
                np.testing.assert_allclose(
                    np.sum(gradient * along), expected, 1e-6, 1e-7
                )

    return check
