"""Gaussian mixtures in the plane, the toy problems on which mode collapse shows."""

from typing import Any

import numpy as np
import tensorflow as tf

from logan_tf.data import random_access
from logan_tf.errors import ConfigurationError


class _Mixture:
    """Equally likely Gaussians with a common standard deviation.

    Attributes:
      modes: float64 [num_classes, 2], the means.
      sigma: the standard deviation in each direction.
      shape: (2,).
      num_classes: the number of modes; an example's label is its mode.
    """

    def __init__(self, modes: np.ndarray, sigma: float) -> None:
        if not sigma >= 0:
            raise ConfigurationError(f"sigma must be at least 0, not {sigma}.")
        self.modes = modes
        self.sigma = sigma
        self.shape = (2,)
        self.num_classes = len(modes)

    @property
    def mixture(self) -> dict[str, Any]:
        """What generated points are drawn and counted by: modes and sigma."""
        return {"modes": self.modes, "sigma": self.sigma}

    def examples(
        self,
        *,
        seed: tuple[int, int],
        first: int,
        count: int,
        rows: slice = random_access.ALL_ROWS,
    ) -> tf.data.Dataset:
        """Points drawn on the fly, number `first` on; see `batch.Dataset`."""
        seed_tensor = tf.constant(seed, tf.int64)

        def draw(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            words = random_access.random_words(seed_tensor, position, count)[rows]
            labels = words[:, 0] % self.num_classes
            points = self._centers(labels, words[:, 3])
            points += self.sigma * _standard_normal(words[:, 1], words[:, 2])
            return tf.cast(points, tf.float32), tf.cast(labels, tf.int32)

        return random_access.chunks(draw, first=first, count=count)

    def _centers(self, labels: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """What points of these labels are drawn around, float64 [count, 2].

        Args:
          labels: int64 [count].
          words: int64 [count], uniform in [0, 2³²), for whoever has more to draw.
        """
        return tf.gather(tf.constant(self.modes), labels)


class Ring(_Mixture):
    """Gaussians on a circle, the first at angle 0, counter-clockwise."""

    def __init__(
        self, num_modes: int = 8, radius: float = 2.0, sigma: float = 0.02
    ) -> None:
        """A mixture of `num_modes` > 0 Gaussians at distance `radius` of the origin."""
        if num_modes < 1:
            raise ConfigurationError(
                f"Ring.num_modes must be at least 1, not {num_modes}."
            )
        angles = 2 * np.pi * np.arange(num_modes) / num_modes
        super().__init__(
            radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), sigma
        )


class Grid(_Mixture):
    """Gaussians on a square grid centered at the origin, row by row."""

    def __init__(
        self, num_modes_per_side: int = 5, spacing: float = 2.0, sigma: float = 0.05
    ) -> None:
        """A mixture of `num_modes_per_side`² Gaussians, neighbors `spacing` apart."""
        if num_modes_per_side < 1:
            raise ConfigurationError(
                f"Grid.num_modes_per_side must be at least 1, not {num_modes_per_side}."
            )
        ticks = spacing * (np.arange(num_modes_per_side) - (num_modes_per_side - 1) / 2)
        rows = [(x, y) for y in ticks for x in ticks]
        super().__init__(np.array(rows), sigma)


class SwissRoll(_Mixture):
    """A spiral r = t, t uniform in (1.5π, 4.5π), divided by 7.5, and noise.

    Gulrajani et al. 2017, Fig. 1b. Its "modes" are the middles of equally likely
    pieces, so that their count is how much of the roll is found; points between two of
    them are of high quality as far as 3 sigma reach, so give it pieces enough.
    """

    def __init__(self, num_pieces: int = 200, sigma: float = 0.03) -> None:
        """A roll of `num_pieces` > 0 pieces."""
        if num_pieces < 1:
            raise ConfigurationError(
                f"SwissRoll.num_pieces must be at least 1, not {num_pieces}."
            )
        middles = tf.constant((np.arange(num_pieces) + 0.5) / num_pieces)
        super().__init__(_spiral(middles).numpy(), sigma)

    def _centers(self, labels: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        within = (tf.cast(words, tf.float64) + 0.5) / 2**32
        return _spiral((tf.cast(labels, tf.float64) + within) / self.num_classes)


def _spiral(share: tf.Tensor) -> tf.Tensor:
    """Points at shares in (0, 1) of the angle, [n] → float64 [n, 2]."""
    angle = 1.5 * np.pi * (1 + 2 * share)
    turned = tf.stack([tf.cos(angle), tf.sin(angle)], axis=-1)
    return angle[:, None] / 7.5 * turned


def _standard_normal(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Box-Muller: two words of [0, 2³²) each -> float64 [count, 2]."""
    # In (0, 1]: the logarithm of 0 would be a point at infinity once in 2³² draws.
    uniform = (tf.cast(first, tf.float64) + 1) / 2**32
    angle = tf.cast(second, tf.float64) * (2 * np.pi / 2**32)
    radius = tf.sqrt(-2 * tf.math.log(uniform))
    return radius[:, None] * tf.stack([tf.cos(angle), tf.sin(angle)], axis=1)
