"""Players' weights as tensors, and the algebra that dynamics need of them."""

from collections.abc import Mapping

import tensorflow as tf

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
PLAYERS = (DISCRIMINATOR, GENERATOR)

Weights = dict[str, list[tf.Tensor]]
"""By player: tensors that stand for its trainable variables, in their order. Gradients
and other vectors of the same shape have this type too. Toy games have other players,
one to three of them.
"""


def moved(weights: Weights, along: Weights, by: float | Mapping[str, float]) -> Weights:
    """w + by · v: new weights, differentiable in both.

    Args:
      weights: w.
      along: v; a player that it does not name stays where it is.
      by: a factor of all players, or one of each.
    """
    factors = by if isinstance(by, Mapping) else dict.fromkeys(along, by)
    return weights | {
        player: [
            weight + factors[player] * step
            for weight, step in zip(weights[player], steps, strict=True)
        ]
        for player, steps in along.items()
    }


def dense(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """Gradients as tensors, those of embeddings too, which TensorFlow leaves sparse."""
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def inner(first: Weights, second: Weights) -> tf.Tensor:
    """⟨u, v⟩ over the players that `first` names, a scalar."""
    return tf.add_n(
        [
            tf.reduce_sum(a * b)
            for player in first
            for a, b in zip(first[player], second[player], strict=True)
        ]
    )
