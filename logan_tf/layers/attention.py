"""Softmax attention, softmax(θ φᵀ) g, with or without keeping the map of weights.

The map has [batch, positions, keys] numbers: 4,096 × 1,024 of a sample at 64×64. In
tiles of its rows it is never stored: a forward pass keeps the queries, keys and values
and the logarithm of each row's sum, and each derivative makes its part of the map again
from these, tile by tile in one loop.

A function of tiles has arguments that are cut into rows (queries) and others that every
tile reads whole (keys, values), and results that are rows or are summed over the tiles.
Its pullback is again such a function: cotangents of rows are rows, those of what every
tile reads are sums. So derivatives of any order are one loop each, and none of them is
written out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.layers.custom_gradients import custom_gradient, is_forward_only

Tensors = list[tf.Tensor]


class Tile(NamedTuple):
    """Arguments or results of a function of tiles."""

    rows: Tensors
    """Of one tile: [batch, rows, …] each."""
    whole: Tensors
    """What every tile reads; of results, what is summed over the tiles."""


OfTile = Callable[[Tile], Tile]


def attend(
    queries: tf.Tensor,
    keys: tf.Tensor,
    values: tf.Tensor,
    logits_dtype: tf.DType,
    tile: int | None = None,
) -> tf.Tensor:
    """softmax(queries keysᵀ) values.

    Args:
      queries: [batch, positions, features].
      keys: [batch, keys, features].
      values: [batch, keys, channels].
      logits_dtype: in which the softmax is computed.
      tile: how many positions have their weights in memory at a time, in a forward
        pass and in every derivative; a divisor of the positions. None for all of them,
        which are then kept for the derivatives.

    Returns:
      Tensor [batch, positions, channels], of the values' dtype.

    Raises:
      ConfigurationError: for a tile that does not divide the positions.
    """
    if tile is None or is_forward_only():
        weights = tf.nn.softmax(_logits(queries, keys, logits_dtype))
        return tf.matmul(tf.cast(weights, values.dtype), values)
    positions = queries.shape[1]
    if positions % tile:
        raise ConfigurationError(
            f"attention_tile = {tile} does not divide the {positions} positions of the "
            "feature map that attends to itself"
        )
    return _attend_in_tiles(queries, keys, values, logits_dtype, tile)


def _attend_in_tiles(
    queries: tf.Tensor,
    keys: tf.Tensor,
    values: tf.Tensor,
    logits_dtype: tf.DType,
    tile: int,
) -> tf.Tensor:
    def forward(given: Tile) -> Tile:
        (queries,), (keys, values) = given
        logits = _logits(queries, keys, logits_dtype)
        sums = tf.reduce_logsumexp(logits, -1, keepdims=True)
        weights = tf.exp(logits - sums)
        return Tile([tf.matmul(tf.cast(weights, values.dtype), values), sums], [])

    def again(given: Tile) -> Tile:
        (queries, sums), (keys, values) = given
        weights = _softmax(_logits(queries, keys, logits_dtype), sums)
        return Tile([tf.matmul(tf.cast(weights, values.dtype), values)], [])

    @custom_gradient
    def call(
        queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, Callable]:
        each = queries.shape[:2]
        like = [
            tf.TensorSpec([*each, values.shape[-1]], values.dtype),
            tf.TensorSpec([*each, 1], logits_dtype),
        ]
        given = Tile([queries], [keys, values])
        attended, sums = _loop(forward, given, Tile(like, []), tile).rows

        def gradient(cotangent: tf.Tensor) -> Tensors:
            # The softmax's derivatives know how the sums depend on the logits.
            given = Tile([queries, tf.stop_gradient(sums)], [keys, values])
            found = _pull_back(again, given, Tile([cotangent], []), tile)
            return [found.rows[0], *found.whole]

        return attended, gradient

    return call(queries, keys, values)


def _logits(queries: tf.Tensor, keys: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(tf.matmul(queries, keys, transpose_b=True), dtype)


def _softmax(logits: tf.Tensor, sums: tf.Tensor) -> tf.Tensor:
    """The softmax of logits of which the logarithms of the rows' sums are known.

    Its derivatives are those of the softmax; none goes to the sums.
    """

    @custom_gradient
    def call(logits: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(cotangent: tf.Tensor) -> tf.Tensor:
            weights = _softmax(logits, sums)
            mean = tf.reduce_sum(weights * cotangent, -1, keepdims=True)
            return weights * (cotangent - mean)

        return tf.exp(logits - sums), gradient

    return call(logits)


def _pull_back(function: OfTile, given: Tile, cotangents: Tile, tile: int) -> Tile:
    """Cotangents of a function's arguments, differentiable to any order.

    Args:
      function: of tiles.
      given: its arguments, all rows of them.
      cotangents: of its results.
      tile: rows of a tile.

    Returns:
      Tensors like `given`.
    """
    cut, read = len(given.rows), len(given.whole)
    more = Tile([*given.rows, *cotangents.rows], [*given.whole, *cotangents.whole])

    def pullback(more: Tile) -> Tile:
        given = Tile(more.rows[:cut], more.whole[:read])
        sources = [*given.rows, *given.whole]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            results = function(given)
        found = tape.gradient(
            [*results.rows, *results.whole],
            sources,
            output_gradients=[*more.rows[cut:], *more.whole[read:]],
            unconnected_gradients="zero",
        )
        return Tile(found[:cut], found[cut:])

    @custom_gradient
    def call(*tensors: tf.Tensor) -> tuple[Tensors, Callable]:
        more = _split(tensors, len(given.rows) + len(cotangents.rows))
        results = _loop(pullback, more, given, tile)

        def gradient(*cotangents: tf.Tensor) -> Tensors:
            found = _pull_back(pullback, more, _split(cotangents, cut), tile)
            return [*found.rows, *found.whole]

        return [*results.rows, *results.whole], gradient

    return _split(call(*more.rows, *more.whole), cut)


def _split(tensors: Sequence[tf.Tensor], rows: int) -> Tile:
    return Tile(list(tensors[:rows]), list(tensors[rows:]))


def _loop(function: OfTile, given: Tile, like: Tile, tile: int) -> Tile:
    """The function's results of all tiles, without a gradient.

    Args:
      function: of tiles.
      given: its arguments, all rows of them.
      like: tensors of the results' dtypes and, but for the batch, shapes.
      tile: rows of a tile.
    """
    number = given.rows[0].shape[1] // tile
    cut = [_cut(x, number) for x in given.rows]
    arrays = [
        tf.TensorArray(x.dtype, number, element_shape=[x.shape[0], tile, *x.shape[2:]])
        for x in like.rows
    ]
    # Sums of many tiles are no work for eight bits of precision either.
    zeros = [
        tf.zeros(tf.shape(x), x.dtype if x.dtype.size >= 4 else tf.float32)
        for x in like.whole
    ]

    def add(step: tf.Tensor, arrays: list, sums: Tensors) -> tuple:
        results = function(Tile([x[step] for x in cut], given.whole))
        written = [a.write(step, x) for a, x in zip(arrays, results.rows, strict=True)]
        pairs = zip(sums, results.whole, strict=True)
        return step + 1, written, [s + tf.cast(x, s.dtype) for s, x in pairs]

    _, arrays, sums = tf.while_loop(
        lambda step, *_: step < number,
        add,
        (0, arrays, zeros),
        maximum_iterations=number,
    )
    pairs = zip(sums, like.whole, strict=True)
    return Tile(
        [_joined(array.stack()) for array in arrays],
        [tf.cast(s, x.dtype) for s, x in pairs],
    )


def _cut(x: tf.Tensor, number: int) -> tf.Tensor:
    """[batch, rows, features] → [number, batch, rows / number, features]."""
    _, rows, features = x.shape
    return tf.transpose(
        tf.reshape(x, [-1, number, rows // number, features]), [1, 0, 2, 3]
    )


def _joined(x: tf.Tensor) -> tf.Tensor:
    """The inverse of `_cut`."""
    number, _, rows, features = x.shape
    return tf.reshape(tf.transpose(x, [1, 0, 2, 3]), [-1, number * rows, features])
