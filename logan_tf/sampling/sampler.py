"""Samples of a generator, each a function of (seed, index) alone.

What a sample looks like depends on neither how many are drawn nor the batch size: the
first k of `num` = 64 are those of `num` = k.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from logan_tf import host_memory
from logan_tf.errors import ConfigurationError, DivergedError, require_at_least
from logan_tf.sampling.graph import Samples, SamplingGraph
from logan_tf.sampling.settings import SamplingSettings


class Sampler:
    """Draws samples from a generator, after latent steps if they are wanted.

    Args:
      graph: of what, and how.
    """

    def __init__(self, graph: SamplingGraph) -> None:
        self.graph = graph
        # Without autograph, which would rewrite every function on the way for ten
        # seconds and change none. Labels come in any number; one more graph is traced
        # for all of them.
        self._draw = tf.function(graph.draw, reduce_retracing=True, autograph=False)
        # Integers among the arguments trace a graph each: the batches' number and size.
        self._collect = tf.function(graph.collect, autograph=False)

    def sample(
        self,
        num: int,
        settings: SamplingSettings,
        *,
        labels: np.ndarray | None = None,
        interpolate: int = 0,
    ) -> Samples:
        """Draws `num` samples.

        Args:
          num: at least 1.
          settings: the same seed gives the same samples, whatever `num`.
          labels: integers [num], the classes to draw; None draws them too.
          interpolate: pictures a row, at least 2, of which `num` is a multiple: each
            row goes along a straight line of latents, as the generator sees them,
            from sample 2 r to sample 2 r + 1. 0: the samples themselves.

        Raises:
          ConfigurationError: a value outside of its range; latent steps without a
            latent optimizer; a label that is no class.
        """
        settings.require(self.has_latent_steps, num, interpolate)
        require_room(num, self.graph.shape)
        given = checked_labels(labels, num, self.graph.num_classes)
        return self._drawn(0, num, settings, given, interpolate)

    def batches(
        self,
        num: int,
        settings: SamplingSettings,
        *,
        first: int = 0,
        labels: np.ndarray | None = None,
    ) -> Iterator[Samples]:
        """The same samples as `sample`, in order, no more than `batch_size` at once.

        Args:
          first: the number of the first one; a multiple of `batch_size`, for the bits
            to be those of one long drawing. `num` samples follow, and `labels` are
            theirs.
        """
        settings.require(self.has_latent_steps, num)
        given = checked_labels(labels, num, self.graph.num_classes)
        size = self.graph.batch_size
        return (
            self._drawn(
                first + done,
                min(size, num - done),
                settings,
                given[done : done + size],
            )
            for done in range(0, num, size)
        )

    def collect_standing(
        self,
        num_batches: int,
        settings: SamplingSettings,
        *,
        batch_size: int = 64,
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
        settings.require(self.has_latent_steps, num_batches)
        require_at_least(1, batch_size=batch_size)
        statistics = self._collect(
            *_tensors(settings),
            num_batches=num_batches,
            batch_size=batch_size,
        )
        self.graph.standing.assign(statistics)

    @property
    def conditional(self) -> bool:
        """Whether what is drawn depends on labels."""
        return getattr(self.graph.generator, "conditional", False)

    @property
    def has_latent_steps(self) -> bool:
        """Whether latents can be optimized."""
        return self.graph.latent_move is not None

    def _drawn(
        self,
        first: int,
        num: int,
        settings: SamplingSettings,
        labels: np.ndarray,
        columns: int = 0,
    ) -> Samples:
        drawn = self._draw(
            tf.constant(first, tf.int64),
            tf.constant(num),
            *_tensors(settings),
            tf.constant(labels, tf.int32),
            self.graph.standing.assigned(),
            tf.constant(columns),
        )
        return Samples(*(x.numpy() for x in drawn))


def require_room(num: int, shape: Sequence[int]) -> None:
    """Raises ConfigurationError for more samples of a shape than memory can hold."""
    host_memory.require(4 * num * math.prod(shape), f"{num} samples", "ask for fewer")


def checked_labels(labels: np.ndarray | None, num: int, num_classes: int) -> np.ndarray:
    """Labels as int32 [num], none as [0]; raises ConfigurationError for others."""
    if labels is None:
        return np.zeros(0, np.int32)
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


def _tensors(
    settings: SamplingSettings,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Seed, truncation, steps; 0 steps are None, so that no graph of them is traced."""
    steps = settings.latent_steps
    return (
        tf.constant(settings.seed, tf.int64),
        tf.constant(settings.truncation, tf.float32),
        tf.constant(steps) if steps else None,
    )
