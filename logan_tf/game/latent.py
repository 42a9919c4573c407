"""Latent optimization: the step that the latent takes before the players do (LOGAN,
§4).

    z' = [z + Δz],   Δz = α g  (eq. 4, GD)   or   Δz = α g / (β + ‖g‖²)  (eq. 16, NGD)

with g = ∂f(z)/∂z and f(z) = D(G(z)), the discriminator's raw score of one sample.
Whoever calls a `LatentOptimizer` inside a `tf.GradientTape` differentiates through the
step; outside of any tape no second-order graph is built.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_above, require_at_least
from logan_tf.layers.rematerialization import to_inputs_alone

Score = Callable[[tf.Tensor], tf.Tensor]
Step = Callable[[tf.Tensor], tf.Tensor]

_LENGTHS = 2401  # two hundred a decade: the greatest is right to 1e-5


def gradient_step(gradient: tf.Tensor, step_size: float) -> tf.Tensor:
    """Δz = α g, eq. 4: gradient ascent ("GD", the step of CS-GAN).

    Args:
      gradient: g, float [batch, dim], one gradient per sample.
      step_size: α ≥ 0.

    Returns:
      Δz, float [batch, dim].

    Raises:
      ConfigurationError: for a number out of range.
    """
    require_in_range(step_size)
    return step_size * gradient


def natural_gradient_step(
    gradient: tf.Tensor, step_size: float, damping: float
) -> tf.Tensor:
    """Δz = α g / (β + ‖g‖²), eq. 16: natural-gradient ascent ("NGD").

    This is α F'⁻¹ g with the damped empirical Fisher matrix F' = g gᵀ + βI of the
    sample (eq. 15), by the Sherman–Morrison formula. ‖Δz‖ ≤ α / (2√β), reached at ‖g‖ =
    √β.

    Args:
      gradient: g, float [batch, dim], one gradient per sample.
      step_size: α ≥ 0.
      damping: β > 0.

    Returns:
      Δz, float [batch, dim].

    Raises:
      ConfigurationError: for a number out of range.
    """
    require_in_range(step_size, damping)
    curvature = damping + tf.reduce_sum(tf.square(gradient), axis=-1, keepdims=True)
    return step_size * gradient / curvature


class Reach(NamedTuple):
    """How far a step moves latents, by the length of their gradient.

    Attributes:
      pull: ‖Δz‖ / ‖g‖ for a small ‖g‖: α / β of the natural step, α of the other.
      radius: the greatest ‖Δz‖: α / (2√β), infinite of the gradient step.
    """

    pull: float
    radius: float

    @classmethod
    def of(cls, step: Step) -> "Reach | None":
        """Of a step, found by taking it from gradients of lengths 1e-6 to 1e6.

        None: a step of somebody's own that takes no float32 gradients [n, 1].
        """
        norms = tf.experimental.numpy.logspace(-6, 6, _LENGTHS, dtype=tf.float32)
        try:
            lengths = tf.norm(step(norms[:, None]), axis=-1).numpy()
        except (TypeError, ValueError, tf.errors.OpError):
            return None
        at = int(lengths.argmax())
        radius = math.inf if at == _LENGTHS - 1 else float(lengths[at])
        return cls(float(lengths[0] / norms[0].numpy()), radius)

    def __str__(self) -> str:
        bound = "of any length" if math.isinf(self.radius) else f"≤ {self.radius:.3g}"
        return f"‖Δz‖ is {self.pull:.3g} ‖g‖ for a small ‖g‖, and {bound}"


def require_in_range(step_size: float, damping: float | None = None) -> None:
    """Raises ConfigurationError unless α ≥ 0 and β > 0; tensors are let pass."""
    if not tf.is_tensor(step_size):
        require_at_least(0, step_size=step_size)
    if damping is not None and not tf.is_tensor(damping):
        require_above(0, damping=damping)


def require_bounds(owner: str, bounds: tuple[float, float] | None) -> None:
    """Raises ConfigurationError unless bounds are (low, high), low < high, or None."""
    if bounds is not None and not bounds[0] < bounds[1]:
        raise ConfigurationError(
            f"{owner}.bounds must be (low, high) or None, not {bounds}"
        )


class LatentStep(NamedTuple):
    """What a latent optimizer returns."""

    latents: tf.Tensor
    """z', [batch, dim]."""
    delta: tf.Tensor
    """Δz, [batch, dim]: the sum of the steps before the clip, 0 where z is not
    optimized.
    """


class LatentOptimizer:
    """Moves latents uphill on a score: `optimizer(latents, score) -> LatentStep`.

    Only the first round(fraction · dim) coordinates move; the others pass through bit
    for bit and do not enter ‖g‖. Each step is followed by the clip.

    Args:
      step: gradient [batch, dim] → Δz [batch, dim]: `gradient_step` or
        `natural_gradient_step` with their parameters bound.
      fraction: c in [0, 1], the portion of z that is optimized.
      num_steps: how many steps, 0 or more. LOGAN trains with 1.
      bounds: (low, high) of the clip, (−1, 1) for the prior U(−1, 1); None: no clip.

    Raises:
      ConfigurationError: for values outside these ranges.
    """

    def __init__(
        self,
        step: Step,
        fraction: float = 1.0,
        num_steps: int = 1,
        bounds: tuple[float, float] | None = (-1.0, 1.0),
    ) -> None:
        if not 0 <= fraction <= 1:
            raise ConfigurationError(
                f"LatentOptimizer.fraction is a portion from 0 to 1, not {fraction}"
            )
        if num_steps < 0:
            raise ConfigurationError(
                f"LatentOptimizer.num_steps must be 0 or more, not {num_steps}"
            )
        require_bounds("LatentOptimizer", bounds)
        self.step = step
        self.fraction = fraction
        self.num_steps = num_steps
        self.bounds = bounds

    def with_steps(self, num_steps: int) -> "LatentOptimizer":
        """The same optimizer taking another number of steps, as evaluation does."""
        return type(self)(self.step, self.fraction, num_steps, self.bounds)

    def num_optimized(self, dim: int) -> int:
        """How many coordinates of a latent of length `dim` move."""
        return round(self.fraction * dim)

    def __call__(self, latents: tf.Tensor, score: Score) -> LatentStep:
        """Optimizes a batch of latents.

        Args:
          latents: z, float [batch, dim].
          score: f, [batch, dim] → [batch]. Its *sum* is differentiated (App. A.1): each
            sample follows its own gradient, whatever the size of the batch, unless
            batch normalization couples the samples.

        Returns:
          A `LatentStep` of float [batch, dim] tensors.
        """
        dim = latents.shape[-1]
        optimized = latents[:, : self.num_optimized(dim)]
        fixed = latents[:, self.num_optimized(dim) :]
        total = tf.zeros_like(optimized)
        for _ in range(self.num_steps if self.num_optimized(dim) else 0):
            delta = self.step(_gradient(score, optimized, fixed))
            optimized = self._clip(optimized + delta)
            total += delta
        return LatentStep(
            latents=tf.concat([optimized, fixed], axis=-1),
            delta=tf.concat([total, tf.zeros_like(fixed)], axis=-1),
        )

    def _clip(self, latents: tf.Tensor) -> tf.Tensor:
        return (
            latents if self.bounds is None else tf.clip_by_value(latents, *self.bounds)
        )


def _gradient(score: Score, optimized: tf.Tensor, fixed: tf.Tensor) -> tf.Tensor:
    """g = ∂f/∂z of each sample over the optimized coordinates, [batch,
    num_optimized].
    """
    with tf.GradientTape() as tape:
        tape.watch(optimized)
        scores = score(tf.concat([optimized, fixed], axis=-1))
        if scores.shape.rank != 1:
            raise ValueError(
                f"score must return one number per sample, [batch], not {scores.shape}"
            )
    with to_inputs_alone():
        return tape.gradient(scores, optimized, unconnected_gradients="zero")
