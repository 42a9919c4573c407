"""Softmax attention, softmax(θ φᵀ) g, with or without keeping the map of weights.

The map has [batch, positions, keys] numbers: 4,096 × 1,024 of a sample at 64×64. In
slices of the batch it is never stored: a forward pass keeps the queries, keys and
values and the logarithm of each position's sum, and each derivative makes its part of
the map again from these, slice by slice in one loop. What is cut is the batch, not the
positions, since then nothing is summed over the slices.

A function of slices takes and returns tensors whose first axis is the batch. Its
pullback is again such a function. So derivatives of any order are one loop each, and
none of them is written out.
"""

from collections.abc import Callable

import tensorflow as tf

from logan_tf.layers.custom_gradients import custom_gradient, is_forward_only

Tensors = list[tf.Tensor]
OfSlice = Callable[[Tensors], Tensors]
"""Of tensors [slice, …], to tensors [slice, …]; samples do not see each other."""


def attend(
    queries: tf.Tensor,
    keys: tf.Tensor,
    values: tf.Tensor,
    logits_dtype: tf.DType,
    at_a_time: int | None = None,
) -> tf.Tensor:
    """softmax(queries keysᵀ) values.

    Args:
      queries: [batch, positions, features].
      keys: [batch, keys, features].
      values: [batch, keys, channels].
      logits_dtype: in which the softmax is computed.
      at_a_time: how many samples at most have their weights in memory at a time, in a
        forward pass and in every derivative: the largest divisor of the batch up to it.
        None: all of them, which are then kept for the derivatives; so too where the
        size of the batch is not known before it comes.

    Returns:
      Tensor [batch, positions, channels], of the values' dtype.
    """
    batch = queries.shape[0]
    if at_a_time is None or batch is None or is_forward_only():
        weights = tf.nn.softmax(_logits(queries, keys, logits_dtype))
        return tf.matmul(tf.cast(weights, values.dtype), values)
    size = max(n for n in range(1, at_a_time + 1) if batch % n == 0)
    return _attend_in_slices(queries, keys, values, logits_dtype, size)


def _attend_in_slices(
    queries: tf.Tensor,
    keys: tf.Tensor,
    values: tf.Tensor,
    logits_dtype: tf.DType,
    size: int,
) -> tf.Tensor:
    def forward(given: Tensors) -> Tensors:
        queries, keys, values = given
        logits = _logits(queries, keys, logits_dtype)
        sums = tf.reduce_logsumexp(logits, -1, keepdims=True)
        weights = tf.cast(tf.exp(logits - sums), values.dtype)
        return [tf.matmul(weights, values), sums]

    def again(given: Tensors) -> Tensors:
        queries, keys, values, sums = given
        weights = _softmax(_logits(queries, keys, logits_dtype), sums)
        return [tf.matmul(tf.cast(weights, values.dtype), values)]

    @custom_gradient
    def call(
        queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, Callable]:
        each = queries.shape[:2]
        like = [
            tf.TensorSpec([*each, values.shape[-1]], values.dtype),
            tf.TensorSpec([*each, 1], logits_dtype),
        ]
        attended, sums = _loop(forward, [queries, keys, values], like, size)

        def gradient(cotangent: tf.Tensor) -> Tensors:
            # The softmax's derivatives know how the sums depend on the logits.
            given = [queries, keys, values, tf.stop_gradient(sums)]
            return _pull_back(again, given, [cotangent], size)[:3]

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


def _pull_back(
    function: OfSlice, given: Tensors, cotangents: Tensors, size: int
) -> Tensors:
    """Cotangents of a function's arguments, differentiable to any order.

    Args:
      function: of slices.
      given: its arguments for the whole batch.
      cotangents: of its results.
      size: of a slice.
    """
    count = len(given)

    def pullback(tensors: Tensors) -> Tensors:
        arguments = tensors[:count]
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            results = function(arguments)
        return tape.gradient(
            results,
            arguments,
            output_gradients=tensors[count:],
            unconnected_gradients="zero",
        )

    @custom_gradient
    def call(*tensors: tf.Tensor) -> tuple[Tensors, Callable]:
        def gradient(*cotangents: tf.Tensor) -> Tensors:
            return _pull_back(pullback, list(tensors), list(cotangents), size)

        return _loop(pullback, list(tensors), given, size), gradient

    return list(call(*given, *cotangents))


def _loop(function: OfSlice, given: Tensors, like: Tensors, size: int) -> Tensors:
    """The function's results for the whole batch, without a gradient.

    Args:
      function: of slices.
      given: its arguments for the whole batch.
      like: tensors of the results' shapes and dtypes.
      size: of a slice; a divisor of the batch.
    """
    number = given[0].shape[0] // size
    cut = [tf.reshape(x, [number, size, *x.shape[1:]]) for x in given]
    arrays = [
        tf.TensorArray(x.dtype, number, element_shape=[size, *x.shape[1:]])
        for x in like
    ]

    def take(step: tf.Tensor, arrays: list) -> tuple[tf.Tensor, list]:
        results = function([x[step] for x in cut])
        pairs = zip(arrays, results, strict=True)
        return step + 1, [array.write(step, x) for array, x in pairs]

    # One after the other: side by side they would need the memory of all.
    _, arrays = tf.while_loop(
        lambda step, _: step < number,
        take,
        (0, arrays),
        parallel_iterations=1,
        maximum_iterations=number,
    )
    return [array.concat() for array in arrays]
