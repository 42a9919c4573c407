"""Controls: what else could make LOGAN's numbers, put in the latent optimizer's place.

If the direction of Δz matters, a step of the same length anywhere else must do worse.
If it is only that the move punishes a steep discriminator, the punishment alone must do
as well: to first order L_D(z + Δz) = L_D(z) + E⟨∂f/∂z, Δz⟩ wherever the hinge is open.
"""

import tensorflow as tf

from logan_tf.game import noise
from logan_tf.game.latent import (
    LatentOptimizer,
    LatentStep,
    Score,
    require_in_range,
)


class RandomDirection(LatentOptimizer):
    """A step as long as that of `step`, in a direction uniform on the sphere.

    The direction is a function of the sample's own latent: neither the batch around it
    nor the number of replicas changes it. To both players it is a constant, the length
    is not; so R_z and its gradient are those of `step`. Each of several steps goes the
    same way.
    """

    def __call__(self, latents: tf.Tensor, score: Score) -> LatentStep:
        """As `LatentOptimizer`; latents have 2 or more coordinates."""
        directions = random_directions(latents, self.num_optimized(latents.shape[-1]))

        def turned(gradient: tf.Tensor) -> tf.Tensor:
            squares = tf.reduce_sum(
                tf.square(self.step(gradient)), axis=-1, keepdims=True
            )
            # The root's derivative at 0 is infinite, the step's is not.
            lengths = tf.sqrt(tf.where(squares > 0, squares, 1))
            return tf.where(squares > 0, lengths * directions, 0)

        return LatentOptimizer(turned, self.fraction, self.num_steps, self.bounds)(
            latents, score
        )


class LatentPenalty(LatentOptimizer):
    """No move at all: Δz is reported and regularized, z' = z.

    w_r E‖Δz‖² is then a penalty on ∂f/∂z. With `step` = `gradient_step` of size 1 it is
    w_r E‖∂f/∂z‖², which eq. 4 implies for α = w_r; with `root_of_natural_gradient_step`
    and w_r = 1 what eq. 16 implies. Latent optimization punishes the discriminator
    alone: `LatentRule` with `stop_gradient` ("generator",) and `stop_regularizer`.
    """

    def __call__(self, latents: tf.Tensor, score: Score) -> LatentStep:
        """As `LatentOptimizer`, but the latents come back as they were."""
        moved = super().__call__(latents, score)
        return LatentStep(latents, moved.delta)


def root_of_natural_gradient_step(
    gradient: tf.Tensor, step_size: float, damping: float
) -> tf.Tensor:
    """A vector along g whose squared norm is ⟨g, Δz⟩ = α‖g‖² / (β + ‖g‖²), by eq. 16.

    Args:
      gradient: g, float [batch, dim], one gradient per sample.
      step_size: α ≥ 0.
      damping: β > 0.

    Returns:
      Float [batch, dim].

    Raises:
      ConfigurationError: for a number out of range.
    """
    require_in_range(step_size, damping)
    curvature = damping + tf.reduce_sum(tf.square(gradient), axis=-1, keepdims=True)
    return gradient * tf.sqrt(step_size / curvature)


def random_directions(latents: tf.Tensor, dim: int) -> tf.Tensor:
    """Unit vectors [batch, dim], each a hash of its latent's first two coordinates.

    Args:
      latents: float [batch, 2 or more], of a continuous prior.
      dim: the length of a direction.
    """
    unit = tf.math.l2_normalize(noise.normal(latents, (dim,)), axis=-1, epsilon=0.0)
    return tf.stop_gradient(unit)
