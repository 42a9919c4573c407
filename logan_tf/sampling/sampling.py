"""Samples of a generator, each a function of (seed, index) alone.

What a sample looks like depends on neither how many are drawn nor the batch size: the
first k of `num` = 64 are those of `num` = k.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.sampling.drawing import Drawing


class Samples(NamedTuple):
    """Generated examples as NumPy arrays."""

    images: np.ndarray
    """float32 [n, *shape]: pictures in [-1, 1], or points."""
    latents: np.ndarray
    """float32 [n, latent_dim], truncated and optimized: what the generator saw."""
    labels: np.ndarray
    """int32 [n]: the classes asked for."""


class Sampler:
    """Draws samples from a generator, after latent steps if they are wanted.

    Args:
        drawing: of what, and how.
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        # Without autograph, which would rewrite every function on the way for ten
        # seconds and change none. Labels come in any number; one more graph is traced
        # for all of them.
        self._draw = tf.function(drawing.draw, reduce_retracing=True, autograph=False)
        # Integers among the arguments trace a graph each: the batches' number and size.
        self._collect = tf.function(drawing.collect, autograph=False)

    def sample(
        self,
        num: int,
        *,
        seed: int,
        latent_steps: int = 0,
        truncation: float = 1.0,
        labels: np.ndarray | None = None,
        interpolate: int = 0,
    ) -> Samples:
        """Draws `num` samples.

        Args:
            num: at least 1.
            seed: the same seed gives the same samples, whatever `num`.
            latent_steps: exactly so many steps of latent optimization.
            truncation: s in (0, 1]; truncated latents (`data.priors`) start the latent
                steps.
            labels: integers [num], the classes to draw; None draws them too.
            interpolate: pictures a row, at least 2, of which `num` is a multiple: each
                row goes along a straight line of latents, as the generator sees them,
                from sample 2 r to sample 2 r + 1. 0: the samples themselves.

        Raises:
            ConfigurationError: a value outside of its range; latent steps without a
                latent optimizer; a label that is no class.
        """
        require_settings(num, latent_steps, truncation, self.has_latent_steps)
        require_lines(num, interpolate)
        given = self._checked_labels(labels, num)
        return self._drawn(0, num, seed, latent_steps, truncation, given, interpolate)

    def batches(
        self,
        num: int,
        *,
        seed: int,
        first: int = 0,
        latent_steps: int = 0,
        truncation: float = 1.0,
        labels: np.ndarray | None = None,
    ) -> Iterator[Samples]:
        """The same samples as `sample`, in order, no more than `batch_size` at once.

        Args:
            first: the number of the first one; a multiple of `batch_size`, for the bits
                to be those of one long drawing. `num` samples follow, and `labels` are
                theirs.
        """
        require_settings(num, latent_steps, truncation, self.has_latent_steps)
        given = self._checked_labels(labels, num)
        size = self.drawing.batch_size
        return (
            self._drawn(
                first + done,
                min(size, num - done),
                seed,
                latent_steps,
                truncation,
                given[done : done + size],
            )
            for done in range(0, num, size)
        )

    def collect_standing(
        self,
        num_batches: int,
        *,
        seed: int,
        batch_size: int = 64,
        latent_steps: int = 0,
        truncation: float = 1.0,
    ) -> None:
        """Sets the generator's standing statistics for samples of these settings.

        The latents are truncated and optimized as those of `sample`, with a seed of
        their own; their latent steps see the batch statistics, since the standing ones
        are not there yet. A generator without batch normalization is left as it is.

        Args:
            num_batches: how many batches are averaged.
            batch_size: their size; that of the training is the natural choice.

        Raises:
            ConfigurationError: as `sample`.
        """
        require_settings(num_batches, latent_steps, truncation, self.has_latent_steps)
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is {batch_size}: give at least 1")
        statistics = self._collect(
            *_settings(seed, truncation, latent_steps),
            num_batches=num_batches,
            batch_size=batch_size,
        )
        self.drawing.standing.assign(statistics)

    @property
    def conditional(self) -> bool:
        """Whether what is drawn depends on labels."""
        return getattr(self.drawing.generator, "conditional", False)

    @property
    def has_latent_steps(self) -> bool:
        """Whether latents can be optimized."""
        return self.drawing.latent_optimizer is not None

    def _drawn(
        self,
        first: int,
        num: int,
        seed: int,
        latent_steps: int,
        truncation: float,
        labels: np.ndarray,
        columns: int = 0,
    ) -> Samples:
        drawn = self._draw(
            tf.constant(first, tf.int64),
            tf.constant(num),
            *_settings(seed, truncation, latent_steps),
            tf.constant(labels, tf.int32),
            self.drawing.standing.assigned(),
            tf.constant(columns),
        )
        return Samples(*(x.numpy() for x in drawn))

    def _checked_labels(self, labels: np.ndarray | None, num: int) -> np.ndarray:
        if labels is None:
            return np.zeros(0, np.int32)
        return checked_labels(labels, num, self.drawing.num_classes)


def require_settings(
    num: int, latent_steps: int, truncation: float, has_latent_steps: bool
) -> None:
    """Raises ConfigurationError for settings with which nothing can be drawn."""
    if num < 1:
        raise ConfigurationError(f"{num} samples are asked for: ask for at least 1")
    if not 0 < truncation <= 1:
        raise ConfigurationError(
            f"truncation is {truncation}: give a number above 0, at most 1"
        )
    if latent_steps < 0:
        raise ConfigurationError(f"latent_steps is {latent_steps}: give 0 or more")
    if latent_steps and not has_latent_steps:
        raise ConfigurationError(
            f"{latent_steps} latent steps are asked for, but the run has no latent "
            "optimizer: set latent_steps to 0, or evaluate a run with one"
        )


def require_lines(num: int, interpolate: int) -> None:
    """Raises ConfigurationError unless `num` pictures are rows of `interpolate`."""
    if interpolate and (interpolate < 2 or num % interpolate):
        raise ConfigurationError(
            f"{num} samples are no rows of {interpolate}: interpolate takes a number "
            "of pictures a row, at least 2, and num a multiple of it"
        )


def checked_labels(labels: np.ndarray, num: int, num_classes: int) -> np.ndarray:
    """Labels as int32 [num]; raises ConfigurationError for others."""
    labels = np.asarray(labels)
    if labels.shape != (num,) or not np.issubdtype(labels.dtype, np.integer):
        raise ConfigurationError(
            f"labels are {labels.dtype} {labels.shape}: give integers [{num}]"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ConfigurationError(
            f"labels lie in [{labels.min()}, {labels.max()}]: there are "
            f"{num_classes} classes, from 0 on"
        )
    return labels.astype(np.int32)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Quantizes pictures in [-1, 1] to uint8 as floor(clip(127.5 (x + 1) + .5)).

    Raises:
        DivergedError: NaN or Inf among the pixels.
    """
    images = np.asarray(images)
    if not np.isfinite(images).all():
        raise DivergedError(
            "the generator makes NaN or Inf: choose an earlier checkpoint"
        )
    return np.clip(127.5 * (images + 1.0) + 0.5, 0, 255).astype(np.uint8)


def _settings(
    seed: int, truncation: float, latent_steps: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """As tensors; no latent steps are None, so that no graph of them is traced."""
    return (
        tf.constant(seed, tf.int64),
        tf.constant(truncation, tf.float32),
        tf.constant(latent_steps) if latent_steps else None,
    )
