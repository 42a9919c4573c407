"""How latents move before sampling: by the game's own rule, or by a relative of it.

A move is asked for a step at a time, for as many as whoever samples wants. LOGAN names
two relatives (§4, §6): Langevin dynamics, which samples from what the discriminator
prefers, and discriminator optimal transport, which goes uphill and stays near.
"""

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from logan_tf.errors import require_above, require_at_least
from logan_tf.game import noise
from logan_tf.game.latent import LatentOptimizer, Score, require_bounds
from logan_tf.layers.rematerialization import to_inputs_alone

Bounds = tuple[float, float] | None
_NEAR = 1e-3  # Tanaka's δ: at z itself a distance has no slope.


class LatentMove(Protocol):
    """One step of latents [batch, dim], on the score f: [batch, dim] → [batch].

    Attributes:
      description: for a receipt; empty: the game's own rule.
    """

    description: str

    def begin(self, latents: tf.Tensor, score: Score) -> Any:
        """What all steps from these latents need: tensors, or ()."""
        return ()

    def __call__(self, latents: tf.Tensor, begun: Any, score: Score) -> tf.Tensor: ...


class Ascent(LatentMove):
    """The game's own latent optimizer, one step of it."""

    description = ""

    def __init__(self, optimizer: LatentOptimizer) -> None:
        self._one_step = optimizer.with_steps(1)

    def __call__(self, latents: tf.Tensor, begun: Any, score: Score) -> tf.Tensor:
        return self._one_step(latents, score).latents


class Langevin(LatentMove):
    """z + ε/2 ∇(f(z) + ln p(z)) + √ε n,  n ~ N(0, I) (Che et al. 2020, eq. 9, DDLS).

    With small ε and many steps the latents are draws of p(z) exp f(z) up to a constant,
    where f is the logit of a discriminator that is optimal.

    Args:
      step_size: ε > 0.
      precision: of p(z) = N(0, 1/precision); 0: uniform.
      bounds: (low, high) of a uniform prior, at which latents are reflected, so that
        its density stays even; None: none.

    Raises:
      ConfigurationError: for a value out of its range.
    """

    def __init__(
        self,
        step_size: float = 0.01,
        precision: float = 0.0,
        bounds: Bounds = (-1.0, 1.0),
    ) -> None:
        require_above(0, **{"Langevin.step_size": step_size})
        require_at_least(0, **{"Langevin.precision": precision})
        require_bounds("Langevin", bounds)
        self.step_size, self.precision, self.bounds = step_size, precision, bounds
        self.description = f"Langevin({step_size:g}, {precision:g}, {bounds})"

    def __call__(self, latents: tf.Tensor, begun: Any, score: Score) -> tf.Tensor:
        """Noise is a hash of the latents, which differ at each step."""
        drift = _slope(score, latents) - self.precision * latents
        drawn = noise.normal(latents, (latents.shape[-1],))
        moved = latents + self.step_size / 2 * drift + self.step_size**0.5 * drawn
        return moved if self.bounds is None else _reflected(moved, *self.bounds)


class OptimalTransport(LatentMove):
    """y − ε ∇_y (‖y − z‖ − f(y) / k) from y = z on (Tanaka 2019, DOT in latent space).

    Args:
      step_size: ε > 0.
      slope: k > 0, above which f's slope is worth the way; None: the steepest slope of
        f between pairs of a chunk's latents, as Tanaka estimates it.
      bounds: (low, high) of the clip; None: no clip.

    Raises:
      ConfigurationError: for a value out of its range.
    """

    def __init__(
        self,
        step_size: float = 0.01,
        slope: float | None = None,
        bounds: Bounds = (-1.0, 1.0),
    ) -> None:
        require_above(0, **{"OptimalTransport.step_size": step_size})
        if slope is not None:
            require_above(0, **{"OptimalTransport.slope": slope})
        require_bounds("OptimalTransport", bounds)
        self.step_size, self.slope, self.bounds = step_size, slope, bounds
        self.description = f"OptimalTransport({step_size:g}, {slope}, {bounds})"

    def begin(self, latents: tf.Tensor, score: Score) -> tuple[tf.Tensor, tf.Tensor]:
        """z, and k."""
        if self.slope is not None:
            return latents, tf.constant(self.slope, latents.dtype)
        values, others = score(latents), tf.roll(latents, 1, axis=0)
        rises = tf.abs(values - tf.roll(values, 1, axis=0))
        ways = tf.norm(latents - others, axis=-1)
        return latents, tf.reduce_max(tf.math.divide_no_nan(rises, ways))

    def __call__(self, latents: tf.Tensor, begun: Any, score: Score) -> tf.Tensor:
        start, slope = begun
        away = latents - start + _NEAR
        pull = away / tf.norm(away, axis=-1, keepdims=True)
        uphill = tf.math.divide_no_nan(_slope(score, latents), slope)
        moved = latents - self.step_size * (pull - uphill)
        return moved if self.bounds is None else tf.clip_by_value(moved, *self.bounds)


def _slope(score: Callable, latents: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        tape.watch(latents)
        scores = score(latents)
    with to_inputs_alone():
        return tape.gradient(scores, latents, unconnected_gradients="zero")


def _reflected(x: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Folded back at the bounds, as often as it takes."""
    width = high - low
    return low + width - tf.abs(tf.math.floormod(x - low, 2 * width) - width)
