"""How wrong eq. 26 is: latent optimization as an approximate symplectic adjustment.

Back-propagation through Δz brings ∂²f(z)/∂z∂θ into a gradient where the adjustment of a
game has ∂²f(z')/∂z'∂θ (LOGAN, App. A.1).
"""

import tensorflow as tf

from logan_tf.game.game import Game
from logan_tf.game.weights import PLAYERS
from logan_tf.layers.rematerialization import to_inputs_alone


def errors(game: Game, latents: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """‖M(z')v − M(z)v‖ / ‖M(z)v‖ for each player, with v = ∂f/∂z' as in eqs. 6 and 24.

    M(z) = (∂²f(z)/∂z∂θ)ᵀ is taken over the optimized coordinates and summed over the
    batch, as it enters the gradient.

    Args:
      game: with a latent optimizer.
      latents: z, float [batch, dim].
      labels: int [batch].

    Returns:
      By player, a number; 0 where M(z)v is 0.
    """
    optimizer = game.latent_rule.optimizer
    assert optimizer is not None

    def score(latents: tf.Tensor) -> tf.Tensor:
        return game.score(latents, labels)

    moved = optimizer(latents, score).latents
    with tf.GradientTape() as tape:
        tape.watch(moved)
        scores = score(moved)
    with to_inputs_alone():
        slope = tape.gradient(scores, moved)
    optimized = tf.range(latents.shape[-1]) < optimizer.num_optimized(latents.shape[-1])
    direction = tf.where(optimized, slope, 0)
    before, after = (products(game, z, labels, direction) for z in (latents, moved))
    return {
        player: tf.math.divide_no_nan(
            tf.linalg.global_norm(
                [a - b for a, b in zip(after[player], before[player], strict=True)]
            ),
            tf.linalg.global_norm(before[player]),
        )
        for player in PLAYERS
    }


def products(
    game: Game, latents: tf.Tensor, labels: tf.Tensor, direction: tf.Tensor
) -> dict[str, list[tf.Tensor]]:
    """(∂²f(z)/∂z∂θ)ᵀ v for each player: as many tensors as it has variables.

    Args:
      game: the game.
      latents: z, float [batch, dim].
      labels: int [batch].
      direction: v, float [batch, dim].
    """
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            inner.watch(latents)
            scores = game.score(latents, labels)
        slope = inner.gradient(scores, latents)
        product = tf.reduce_sum(slope * direction)
    return {
        player: outer.gradient(
            product,
            [variable.value for variable in game.variables(player)],
            unconnected_gradients="zero",
        )
        for player in PLAYERS
    }
