"""Conjugate gradients on the players' weights (Hestenes & Stiefel 1952)."""

from collections.abc import Callable

import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.weights import Weights


def solved(
    product: Callable[[Weights], Weights],
    right: Weights,
    iterations: int,
    tolerance: float,
    start: Weights | None = None,
) -> Weights:
    """x of S x = b, by a fixed number of iterations.

    There is no loop in the graph, for replicas that meet in `product` could not do it
    there; once ‖b − S x‖ ≤ tolerance · ‖b‖, x stays as it is.

    Args:
      product: u → S u, symmetric and positive semidefinite, the same at every replica.
      right: b.
      iterations: 1 or more; each is one product.
      tolerance: 0 or more.
      start: a guess, which costs one more product; None: 0.
    """
    x = {p: [tf.zeros_like(w) for w in b] for p, b in right.items()}
    residual = right
    if start is not None:
        x, residual = start, weights.moved(right, product(start), -1.0)
    direction, square = residual, weights.inner(residual, residual)
    enough = tolerance**2 * weights.inner(right, right)
    for _ in range(iterations):
        image = product(direction)
        step = tf.math.divide_no_nan(square, weights.inner(direction, image))
        step = tf.where(square > enough, step, tf.zeros_like(step))
        x = weights.moved(x, direction, dict.fromkeys(x, step))
        residual = weights.moved(residual, image, dict.fromkeys(x, -step))
        before, square = square, weights.inner(residual, residual)
        turn = tf.math.divide_no_nan(square, before)
        direction = weights.moved(residual, direction, dict.fromkeys(x, turn))
    return x
