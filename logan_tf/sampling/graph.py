"""Samples as one graph: what `Sampler` calls and what an export holds.

Chunks of one size, in a loop inside the graph: a sample's bits then depend neither on
how many are drawn nor on who draws them, a run or a SavedModel.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from logan_tf.data.priors import Prior, truncated
from logan_tf.errors import require_at_least
from logan_tf.game.latent import LatentOptimizer
from logan_tf.layers.batch_normalization import Statistics
from logan_tf.sampling.latent_moves import Ascent, LatentMove
from logan_tf.sampling.standing import StandingStatistics

# Latents and labels are drawn in blocks of this many, whatever the batch size.
_BLOCK = 64
# Each purpose draws from seeds of its own.
_LATENTS, _LABELS, _STANDING_LATENTS, _STANDING_LABELS = range(4)


class Samples(NamedTuple):
    """Generated examples: tensors in a graph, NumPy arrays outside."""

    images: Any
    """float32 [n, *shape]: pictures in [-1, 1], or points."""
    latents: Any
    """float32 [n, latent_dim], truncated and optimized: what the generator saw."""
    labels: Any
    """int32 [n]: the classes asked for."""


class SamplingGraph:
    """Draws from a generator, without side effects; eagerly or inside a graph.

    Args:
      generator: `generator(latents, labels, training) -> images`, with `latent_dim`.
      discriminator: `discriminator(images, labels) -> logits [n]`, the score.
      latent_move: how latents move: as a game's do, or otherwise; None: they do not.
      prior: `prior(shape, seed) -> latents`, seed an int64 tensor [2].
      num_classes: labels are 0 to num_classes - 1; 0 or 1 for data without classes.
      batch_size: how many samples are generated at once.

    Raises:
      ConfigurationError: a batch size below 1.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        latent_move: LatentOptimizer | LatentMove | None,
        prior: Prior,
        num_classes: int,
        batch_size: int = 256,
    ) -> None:
        require_at_least(1, batch_size=batch_size)
        self.generator = generator
        self.discriminator = discriminator
        if isinstance(latent_move, LatentOptimizer):
            latent_move = Ascent(latent_move)
        self.latent_move = latent_move
        self.num_classes = max(num_classes, 1)
        self.batch_size = batch_size
        self.shape = self._build_networks()
        self.standing = StandingStatistics(generator)
        self._prior = prior

    def collect(
        self,
        seed: tf.Tensor,
        truncation: tf.Tensor,
        latent_steps: tf.Tensor | None,
        *,
        num_batches: int,
        batch_size: int,
    ) -> list[Statistics]:
        """The standing statistics for samples of these settings; see `draw`.

        Latent steps see the batch statistics, since the standing ones are not there
        yet.
        """

        def draw(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            first = index * batch_size
            latents = self._latents(seed, _STANDING_LATENTS, first, batch_size)
            labels = self._labels(seed, _STANDING_LABELS, first, batch_size)
            latents = truncated(self._prior, latents, truncation)
            return self._optimized(latents, labels, latent_steps, True), labels

        return self.standing.collect(num_batches, draw)

    def draw(
        self,
        first: tf.Tensor,
        num: tf.Tensor,
        seed: tf.Tensor,
        truncation: tf.Tensor,
        latent_steps: tf.Tensor | None,
        labels: tf.Tensor,
        statistics: list[Statistics],
        columns: tf.Tensor,
    ) -> Samples:
        """Samples `first` to first + num - 1 of the endless sequence of a seed.

        Args:
          first: int64 []; a multiple of the batch size, for the bits to be those of
            one long drawing.
          num: int32 [], at least 1.
          seed: int64 [].
          truncation: float32 [], s in (0, 1]; truncated latents (`data.priors`) start
            the latent steps.
          latent_steps: int32 [], exactly so many; None builds no graph of steps.
          labels: int32 [num], the classes to draw; [0]: drawn too.
          statistics: the standing statistics.
          columns: int32 [], 0: plain samples. Else at least 2 and a divisor of num:
            each row of so many is a straight line of latents from one sample to the
            next, 2 r to 2 r + 1 for row r, of the first one's class.
        """
        with self.standing.given(statistics):
            ends = tf.where(columns > 0, 2 * (num // tf.maximum(columns, 1)), num)
            starts = self._starts(first, ends, seed, truncation, latent_steps, labels)
            latents, drawn = tf.cond(
                columns > 0, lambda: _lines(starts, columns), lambda: starts
            )
            return Samples(self._images(num, latents, drawn), latents, drawn)

    def batch(
        self, first: tf.Tensor, seed: tf.Tensor, statistics: list[Statistics]
    ) -> Samples:
        """Plain samples `first` to first + batch_size - 1, those of `draw`.

        All shapes are known, as XLA asks where it compiles this alone.

        Args:
          first: int64 [], a multiple of the batch size.
          seed: int64 [].
          statistics: the standing statistics.
        """
        size = self.batch_size
        latents = self._latents(seed, _LATENTS, first, size)
        labels = self._labels(seed, _LABELS, first, size)
        with self.standing.given(statistics):
            images = self.generator(latents, labels, training=False)
        return Samples(tf.cast(images, tf.float32), latents, labels)

    def _starts(
        self,
        first: tf.Tensor,
        num: tf.Tensor,
        seed: tf.Tensor,
        truncation: tf.Tensor,
        latent_steps: tf.Tensor | None,
        labels: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Latents [num, dim], truncated and optimized, and labels [num]."""
        size = self.batch_size
        padded = self._padded(labels, num)

        def chunk(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            position = first + tf.cast(start, tf.int64)
            latents = self._latents(seed, _LATENTS, position, size)
            latents = truncated(self._prior, latents, truncation)
            classes = tf.where(
                tf.size(labels) > 0,
                _part(padded, start, size),
                self._labels(seed, _LABELS, position, size),
            )
            return self._optimized(latents, classes, latent_steps, False), classes

        dim = self.generator.latent_dim
        specs = [tf.TensorSpec([dim], tf.float32), tf.TensorSpec([], tf.int32)]
        return self._in_chunks(num, chunk, specs)

    def _images(
        self, num: tf.Tensor, latents: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        size = self.batch_size
        latents, labels = self._padded(latents, num), self._padded(labels, num)

        def chunk(start: tf.Tensor) -> tuple[tf.Tensor]:
            images = self.generator(
                _part(latents, start, size),
                _part(labels, start, size),
                training=False,
            )
            return (tf.cast(images, tf.float32),)

        (images,) = self._in_chunks(num, chunk, [tf.TensorSpec(self.shape, tf.float32)])
        return images

    def _optimized(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor,
        num_steps: tf.Tensor | None,
        training: bool,
    ) -> tf.Tensor:
        """Outside of any tape, so that no step builds a second-order graph."""
        if num_steps is None:
            return latents
        move = self.latent_move
        assert move is not None  # whoever asks for steps has one

        def score(moved: tf.Tensor) -> tf.Tensor:
            images = self.generator(moved, labels, training=training)
            return self.discriminator(images, labels)

        begun = move.begin(latents, score)

        def step(index: tf.Tensor, latents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return index + 1, move(latents, begun, score)

        _, latents = tf.while_loop(
            lambda index, _: index < num_steps, step, (0, latents)
        )
        return latents

    def _latents(
        self, seed: tf.Tensor, stream: int, first: tf.Tensor, count: int
    ) -> tf.Tensor:
        shape = (_BLOCK, self.generator.latent_dim)
        return _blocks(lambda key: self._prior(shape, key), seed, stream, first, count)

    def _labels(
        self, seed: tf.Tensor, stream: int, first: tf.Tensor, count: int
    ) -> tf.Tensor:
        def draw(key: tf.Tensor) -> tf.Tensor:
            return tf.random.stateless_uniform(
                (_BLOCK,), key, 0, self.num_classes, tf.int32, alg="philox"
            )

        return _blocks(draw, seed, stream, first, count)

    def _num_chunks(self, num: tf.Tensor) -> tf.Tensor:
        return (num + self.batch_size - 1) // self.batch_size

    def _padded(self, values: tf.Tensor, num: tf.Tensor) -> tf.Tensor:
        """Fills the last of the chunks for `num` samples up with zeros."""
        missing = self._num_chunks(num) * self.batch_size - tf.shape(values)[0]
        return tf.pad(values, [[0, missing]] + [[0, 0]] * (values.shape.rank - 1))

    def _in_chunks(
        self,
        num: tf.Tensor,
        function: Callable[[tf.Tensor], Sequence[tf.Tensor]],
        specs: Sequence[tf.TensorSpec],
    ) -> list[tf.Tensor]:
        """Joins function(0), function(size), ... and cuts them to `num` samples.

        Args:
          function: int32 [] -> tensors [size, ...], one sample of which is as `specs`
            say.
        """
        size, chunks = self.batch_size, self._num_chunks(num)
        arrays = [
            tf.TensorArray(spec.dtype, chunks, element_shape=[size, *spec.shape])
            for spec in specs
        ]

        def add(index: tf.Tensor, arrays: list[tf.TensorArray]) -> tuple:
            pairs = zip(arrays, function(index * size), strict=True)
            return index + 1, [array.write(index, value) for array, value in pairs]

        # One chunk at a time, or the memory of ten would be needed.
        _, arrays = tf.while_loop(
            lambda index, _: index < chunks, add, (0, arrays), parallel_iterations=1
        )
        return [array.concat()[:num] for array in arrays]

    def _build_networks(self) -> tuple[int, ...]:
        """Keras makes variables at the first call; returns the shape of a sample."""
        latents = tf.zeros((1, self.generator.latent_dim))
        labels = tf.zeros((1,), tf.int32)
        images = self.generator(latents, labels, training=False)
        self.discriminator(images, labels)
        return tuple(images.shape[1:])


def _lines(starts: Sequence[tf.Tensor], columns: tf.Tensor) -> list[tf.Tensor]:
    """Straight lines between pairs: [2 r, dim], [2 r] -> [r columns, dim], [r columns].

    The ends are the given latents bit for bit.
    """
    latents, labels = starts
    steps = tf.cast(tf.range(columns), tf.float32)
    share = (steps / tf.cast(columns - 1, tf.float32))[:, None]
    start, end = latents[::2, None], latents[1::2, None]
    lines = (1 - share) * start + share * end
    joined = tf.reshape(lines, [-1, latents.shape[-1]])
    return [joined, tf.repeat(labels[::2], columns)]


def _blocks(
    draw: Callable[[tf.Tensor], tf.Tensor],
    seed: tf.Tensor,
    stream: int,
    first: tf.Tensor,
    count: int,
) -> tf.Tensor:
    """Examples `first` to first + count - 1 of the endless sequence of (seed, stream).

    Draws as many blocks as they can touch, wherever in a block they begin.
    """
    start = first // _BLOCK
    drawn = [
        draw(tf.stack([seed, 4 * (start + index) + stream]))
        for index in range((count + 2 * _BLOCK - 2) // _BLOCK)
    ]
    offset = first - start * _BLOCK
    return _part(tf.concat(drawn, 0), offset, count)


def _part(x: tf.Tensor, start: tf.Tensor, count: int) -> tf.Tensor:
    """x[start : start + count], in the one form that XLA compiles for any start."""
    at = [start, *(tf.zeros_like(start) for _ in x.shape[1:])]
    return tf.slice(x, tf.stack(at), [count, *x.shape[1:]])
