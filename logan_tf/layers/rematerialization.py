"""Blocks that are computed again instead of kept in memory, to any order.

`tf.recompute_grad` and `keras.remat` refuse to be differentiated twice, which LOGAN
does. Here a block's pullback (x, w, ȳ) → x̄ is itself such a block, so that of a forward
pass only x is kept, of the backward pass that makes the latent gradient only x and ȳ,
and the second derivative computes both again. It costs a forward pass of the block for
each backward pass, and a forward and a backward pass for each second-order one.

The pullbacks to inputs and to weights are two: whoever asks for one (the latent step
asks for x̄, `to_inputs_alone`) does not pay for differentiating the other. What they
share is computed once, since TensorFlow's and XLA's optimizers merge equal operations.
For the same reason what is computed again must not look like what it repeats: it takes
its inputs plus a zero that is made of the cotangent, so it also waits for the cotangent
to be there.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

Function = Callable[..., list[tf.Tensor]]
"""Of tensors, to tensors."""

_ORDER = 2  # What LOGAN differentiates to.
_thread = threading.local()  # Replicas are threads that interleave.


@contextlib.contextmanager
def to_inputs_alone() -> Iterator[None]:
    """Gradients that are taken inside the context pass through blocks to their inputs.

    Their weights get none, and cost nothing.
    """
    before = getattr(_thread, "inputs_alone", False)
    _thread.inputs_alone = True
    try:
        yield
    finally:
        _thread.inputs_alone = before


def rematerialized(
    layer: keras.layers.Layer, *inputs: tf.Tensor, **options: Any
) -> tf.Tensor:
    """`layer(*inputs, **options)`, of which no intermediate result is kept.

    Derivatives are those of the layer, as far as it computes the same twice: it draws
    no random numbers, and no variable of it changes in between. Batch normalization
    over replicas is fine, its moments are collected once more.

    Args:
      layer: a layer or block of layers; all its variables are those it tracks. Before
        it is built it is called as it is.
      *inputs: float tensors.
      **options: whatever else it takes; no gradient passes to them.

    Returns:
      The layer's output, one tensor.
    """
    if not layer.built:
        return layer(*inputs, **options)
    variables = layer.variables
    weights = [tf.convert_to_tensor(variable.value) for variable in variables]

    def function(*tensors: tf.Tensor) -> list[tf.Tensor]:
        pairs = zip(variables, tensors[len(inputs) :], strict=True)
        with keras.StatelessScope(list(pairs)):
            return [layer(*tensors[: len(inputs)], **options)]

    (output,) = _Block(function, len(inputs), len(weights), _ORDER)(*inputs, *weights)
    return output


class _Block:
    """A function of which derivatives up to an order are computed from its arguments.

    Args:
      function: of tensors, to tensors: inputs, then weights, then any others.
      num_inputs: the number of inputs.
      num_weights: the number of weights.
      order: 1 or more.
    """

    def __init__(
        self, function: Function, num_inputs: int, num_weights: int, order: int
    ) -> None:
        self._function = function
        self._inputs = slice(0, num_inputs)
        self._weights = slice(num_inputs, num_inputs + num_weights)
        self._order = order

    def __call__(self, *tensors: tf.Tensor) -> list[tf.Tensor]:
        @tf.custom_gradient
        def call(*tensors: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
            def gradient(*cotangents: tf.Tensor) -> list[tf.Tensor]:
                return self._pull_back(list(tensors), list(cotangents))

            return self._function(*tensors), gradient

        return tf.nest.flatten(call(*tensors))

    def _pull_back(
        self, tensors: list[tf.Tensor], cotangents: list[tf.Tensor]
    ) -> list[tf.Tensor | None]:
        """Cotangents of all arguments, or of the inputs alone."""
        late = _after(cotangents, tensors)
        # Not the weights: what depends on them alone (W / σ) is not computed again.
        late[self._weights] = tensors[self._weights]
        if self._order == 1:
            return self._pullback(slice(None), len(late))(*late, *cotangents)
        counts = (len(late[part]) for part in (self._inputs, self._weights))
        sizes = *counts, self._order - 1

        def to(part: slice) -> list[tf.Tensor]:
            if not late[part]:
                return []
            return _Block(self._pullback(part, len(late)), *sizes)(*late, *cotangents)

        to_inputs = to(self._inputs)
        if getattr(_thread, "inputs_alone", False):
            return to_inputs + [None] * len(late[self._weights])
        return to_inputs + to(self._weights)

    def _pullback(self, part: slice, num_arguments: int) -> Function:
        """(arguments, cotangents) → cotangents of a part of the arguments."""

        def pullback(*tensors: tf.Tensor) -> list[tf.Tensor]:
            arguments, cotangents = tensors[:num_arguments], tensors[num_arguments:]
            with tf.GradientTape() as tape:
                tape.watch(arguments[part])
                results = self._function(*arguments)
            return tape.gradient(
                results,
                list(arguments[part]),
                output_gradients=list(cotangents),
                unconnected_gradients="zero",
            )

        return pullback


def _after(earlier: list[tf.Tensor], tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """The same tensors, once a number of each of `earlier` is there."""
    zero = tf.zeros([], tf.float32)
    for tensor in earlier:
        some = tf.cast(tf.reshape(tensor, [-1])[0], tf.float32)
        # False whatever it is, which no optimizer knows of a float that may be NaN.
        zero += tf.cast(tf.abs(some) < 0, tf.float32)
    zero = tf.stop_gradient(zero)
    return [tensor + tf.cast(zero, tensor.dtype) for tensor in tensors]
