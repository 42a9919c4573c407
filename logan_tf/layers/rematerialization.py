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
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from logan_tf.layers.custom_gradients import custom_gradient

Function = Callable[..., list[tf.Tensor]]
"""Of tensors, to tensors."""

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
    layer: keras.layers.Layer, *inputs: tf.Tensor, order: int = 2, **options: Any
) -> tf.Tensor:
    """`layer(*inputs, **options)`, of which no intermediate result is kept.

    Derivatives are those of the layer, as far as it computes the same twice: it draws
    no random numbers, and no variable of it changes in between. Batch normalization
    over replicas is fine, its statistics are collected once more.

    Args:
      layer: a layer or block of layers; all its variables are those it tracks. Before
        it is built it is called as it is.
      *inputs: float tensors.
      order: 1 or more: the highest derivative that is computed so. LOGAN takes two,
        a product with the Jacobian of its field three; any higher one is as right, and
        keeps what it needs.
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

    places = range(len(inputs), len(inputs) + len(weights))
    (output,) = _Block(function, places, order)(*inputs, *weights)
    return output


class _Block:
    """A function of which derivatives up to an order are computed from its arguments.

    Args:
      function: of tensors, to tensors.
      weights: the places of the weights among its arguments.
      order: 1 or more.
    """

    def __init__(self, function: Function, weights: range, order: int) -> None:
        self._function = function
        self._weights = weights
        self._order = order

    def __call__(self, *tensors: tf.Tensor) -> list[tf.Tensor]:
        @custom_gradient
        def call(*tensors: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
            def gradient(*cotangents: tf.Tensor) -> list[tf.Tensor | None]:
                return self._pull_back(tensors, cotangents)

            return self._function(*tensors), gradient

        return tf.nest.flatten(call(*tensors))

    def _pull_back(
        self, tensors: Sequence[tf.Tensor], cotangents: Sequence[tf.Tensor]
    ) -> list[tf.Tensor | None]:
        """Cotangents of all arguments, or of all but the weights."""
        # Not the weights: what depends on them alone (W / σ) is not computed again.
        late = [
            tensors[place] if place in self._weights else tensor
            for place, tensor in enumerate(_after(cotangents, tensors))
        ]
        if self._order == 1:
            return self._pullback(range(len(late)), len(late))(*late, *cotangents)
        others = [place for place in range(len(late)) if place not in self._weights]
        wanted: list[Sequence[int]] = [others]
        if self._weights and not getattr(_thread, "inputs_alone", False):
            wanted.append(self._weights)
        found: list[tf.Tensor | None] = [None] * len(late)
        for places in wanted:
            pullback = self._pullback(places, len(late))
            block = _Block(pullback, self._weights, self._order - 1)
            for place, own in zip(places, block(*late, *cotangents), strict=True):
                found[place] = own
        return found

    def _pullback(self, places: Sequence[int], num_arguments: int) -> Function:
        """(arguments, cotangents) → cotangents of the arguments at some places."""

        def pullback(*tensors: tf.Tensor) -> list[tf.Tensor]:
            arguments, cotangents = tensors[:num_arguments], tensors[num_arguments:]
            sources = [arguments[place] for place in places]
            with tf.GradientTape() as tape:
                tape.watch(sources)
                results = self._function(*arguments)
            return tape.gradient(
                results,
                sources,
                output_gradients=list(cotangents),
                unconnected_gradients="zero",
            )

        return pullback


def _after(
    earlier: Sequence[tf.Tensor], tensors: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """The same tensors, once a number of each of `earlier` is there."""
    zero = tf.zeros([], tf.float32)
    for tensor in earlier:
        some = tf.cast(tf.reshape(tensor, [-1])[0], tf.float32)
        # False but for NaN: no optimizer may fold it, as XLA folds |some| < 0.
        zero += tf.cast(tf.not_equal(some, some), tf.float32)
    zero = tf.stop_gradient(zero)
    return [tensor + tf.cast(zero, tensor.dtype) for tensor in tensors]
