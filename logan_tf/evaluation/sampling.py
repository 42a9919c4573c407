"""Samples of a generator, each a function of (seed, index) alone.

What a sample looks like depends on neither how many are drawn nor the batch size: the
first k of `num` = 64 are those of `num` = k.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from logan_tf.errors import ConfigurationError, DivergedError
from logan_tf.game.latent import LatentOptimizer
from logan_tf.networks import standing

Prior = Callable[[tuple[int, ...], tf.Tensor], tf.Tensor]

# Latents and labels are drawn in blocks of this many, whatever the batch size.
_BLOCK = 64
# Each purpose draws from seeds of its own.
_LATENTS, _LABELS, _STANDING_LATENTS, _STANDING_LABELS = range(4)


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
        generator: `generator(latents, labels, training) -> images`, with `latent_dim`.
        discriminator: `discriminator(images, labels) -> logits [n]`, the score.
        latent_optimizer: how latents move; None for a run that trains without.
        prior: `prior(shape, seed) -> latents`, seed an int tensor [2].
        num_classes: labels are drawn uniformly from 0 to num_classes - 1; 0 or 1 for
            data without classes.
        batch_size: how many samples are generated at once.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        latent_optimizer: LatentOptimizer | None,
        prior: Prior,
        num_classes: int,
        batch_size: int = 256,
    ) -> None:
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is {batch_size}: give at least 1")
        self._generator = generator
        self._discriminator = discriminator
        self._latent_optimizer = latent_optimizer
        self._prior = prior
        self._num_classes = max(num_classes, 1)
        self._batch_size = batch_size
        # Python integers and booleans among the arguments trace a graph each.
        self._generate = tf.function(self._generate_batch)
        self._optimize = tf.function(self._optimize_batch)
        self._collector: standing.Collector | None = None
        self._build_networks()

    def sample(
        self,
        num: int,
        *,
        seed: int,
        latent_steps: int = 0,
        truncation: float = 1.0,
        labels: np.ndarray | None = None,
    ) -> Samples:
        """Draws `num` samples.

        Args:
            num: at least 1.
            seed: the same seed gives the same samples, whatever `num`.
            latent_steps: exactly so many steps of latent optimization.
            truncation: s in (0, 1]; the latents s z start the latent steps.
            labels: integers [num], the classes to draw; None draws them too.

        Raises:
            ConfigurationError: a value outside of its range; latent steps without a
                latent optimizer; a label that is no class.
        """
        parts = self.batches(
            num,
            seed=seed,
            latent_steps=latent_steps,
            truncation=truncation,
            labels=labels,
        )
        return Samples(*map(np.concatenate, zip(*parts, strict=True)))

    def batches(
        self,
        num: int,
        *,
        seed: int,
        latent_steps: int = 0,
        truncation: float = 1.0,
        labels: np.ndarray | None = None,
    ) -> Iterator[Samples]:
        """The same samples as `sample`, in order, no more than `batch_size` at once."""
        self._check(num, latent_steps, truncation)
        given = None if labels is None else self._checked_labels(labels, num)
        return self._batches(num, seed, latent_steps, truncation, given)

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
        self._check(num_batches, latent_steps, truncation)
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is {batch_size}: give at least 1")

        def drawn() -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
            for first in range(0, num_batches * batch_size, batch_size):
                latents = self._draw_latents(seed, _STANDING_LATENTS, first, batch_size)
                labels = self._draw_labels(seed, _STANDING_LABELS, first, batch_size)
                latents = truncation * latents
                if latent_steps:
                    latents = self._optimize(latents, labels, latent_steps, True)
                yield latents, labels

        if self._collector is None:
            self._collector = standing.Collector(self._generator)
        self._collector(drawn())

    def _batches(
        self,
        num: int,
        seed: int,
        latent_steps: int,
        truncation: float,
        given: np.ndarray | None,
    ) -> Iterator[Samples]:
        size = self._batch_size
        for first in range(0, num, size):
            # The last batch is a whole one too, cut afterwards: one traced shape.
            count = min(size, num - first)
            latents = truncation * self._draw_latents(seed, _LATENTS, first, size)
            if given is None:
                labels = self._draw_labels(seed, _LABELS, first, size)
            else:
                chosen = given[first : first + count]
                labels = tf.constant(np.pad(chosen, (0, size - count), mode="edge"))
            images, latents = self._generate(latents, labels, latent_steps)
            yield Samples(*(x.numpy()[:count] for x in (images, latents, labels)))

    def _generate_batch(
        self, latents: tf.Tensor, labels: tf.Tensor, latent_steps: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if latent_steps:
            latents = self._optimize_batch(latents, labels, latent_steps, False)
        images = self._generator(latents, labels, training=False)
        return tf.cast(images, tf.float32), latents

    def _optimize_batch(
        self, latents: tf.Tensor, labels: tf.Tensor, latent_steps: int, training: bool
    ) -> tf.Tensor:
        """Outside of any tape, so that no step builds a second-order graph."""

        def score(moved: tf.Tensor) -> tf.Tensor:
            images = self._generator(moved, labels, training=training)
            return self._discriminator(images, labels)

        assert self._latent_optimizer is not None  # as _check has made sure
        optimizer = self._latent_optimizer.with_steps(latent_steps)
        return optimizer(latents, score).latents

    def _draw_latents(
        self, seed: int, stream: int, first: int, count: int
    ) -> tf.Tensor:
        shape = (_BLOCK, self._generator.latent_dim)
        return _drawn(lambda key: self._prior(shape, key), seed, stream, first, count)

    def _draw_labels(self, seed: int, stream: int, first: int, count: int) -> tf.Tensor:
        def draw(key: tf.Tensor) -> tf.Tensor:
            return tf.random.stateless_uniform(
                (_BLOCK,), key, 0, self._num_classes, tf.int32, alg="philox"
            )

        return _drawn(draw, seed, stream, first, count)

    def _build_networks(self) -> None:
        """Keras makes variables at the first call, a traced function once at most."""
        latents = tf.zeros((1, self._generator.latent_dim))
        labels = tf.zeros((1,), tf.int32)
        images = self._generator(latents, labels, training=False)
        self._discriminator(images, labels)

    def _check(self, num: int, latent_steps: int, truncation: float) -> None:
        if num < 1:
            raise ConfigurationError(f"{num} samples are asked for: ask for at least 1")
        if not 0 < truncation <= 1:
            raise ConfigurationError(
                f"truncation is {truncation}: give a number above 0, at most 1"
            )
        if latent_steps < 0:
            raise ConfigurationError(f"latent_steps is {latent_steps}: give 0 or more")
        if latent_steps and self._latent_optimizer is None:
            raise ConfigurationError(
                f"{latent_steps} latent steps are asked for, but the run has no latent "
                "optimizer: set latent_steps to 0, or evaluate a run with one"
            )

    def _checked_labels(self, labels: np.ndarray, num: int) -> np.ndarray:
        labels = np.asarray(labels)
        if labels.shape != (num,) or not np.issubdtype(labels.dtype, np.integer):
            raise ConfigurationError(
                f"labels are {labels.dtype} {labels.shape}: give integers [{num}]"
            )
        if labels.min() < 0 or labels.max() >= self._num_classes:
            raise ConfigurationError(
                f"labels lie in [{labels.min()}, {labels.max()}]: there are "
                f"{self._num_classes} classes, from 0 on"
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


def _drawn(
    draw: Callable[[tf.Tensor], tf.Tensor], seed: int, stream: int, first: int, num: int
) -> tf.Tensor:
    """Examples `first` to first + num - 1 of the endless sequence of (seed, stream)."""
    blocks = range(first // _BLOCK, -(-(first + num) // _BLOCK))
    keys = [tf.constant([seed, 4 * block + stream], tf.int64) for block in blocks]
    drawn = tf.concat([draw(key) for key in keys], 0)
    offset = first - blocks.start * _BLOCK
    return drawn[offset : offset + num]
