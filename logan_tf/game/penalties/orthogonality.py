"""Penalties on the players' weights.

Orthogonal regularization in the form of Brock et al. 2018, eq. 3: of the Gram matrix of
a kernel's filters only what is off the diagonal is to vanish, so that their norms are
free,

    R(W) = β ‖Wᵀ W ⊙ (1 − I)‖²_F,

the columns of W being the filters, 1 the matrix of ones. The paper's β is 1e-4. As in
its public code, embeddings are left out.
"""

from collections.abc import Iterable

import keras
import tensorflow as tf


def matrices(network: keras.Model) -> list[tf.Tensor]:
    """Each kernel of a network as W [fan-in, outputs], a filter a column."""
    return [
        _matrix(layer)
        for layer in network._flatten_layers(include_self=False)
        if isinstance(getattr(layer, "kernel", None), keras.Variable)
    ]


def orthogonality(kernels: Iterable[tf.Tensor]) -> tf.Tensor:
    """The sum over kernels W [fan-in, outputs] of ‖Wᵀ W ⊙ (1 − I)‖²_F, a scalar."""
    total = tf.zeros([])
    for kernel in kernels:
        gram = tf.matmul(kernel, kernel, transpose_a=True)
        others = tf.linalg.set_diag(gram, tf.zeros(gram.shape[-1:], gram.dtype))
        total = tf.cast(total, gram.dtype) + tf.reduce_sum(tf.square(others))
    return total


def _matrix(layer: keras.layers.Layer) -> tf.Tensor:
    kernel = layer.kernel.value
    if isinstance(layer, keras.layers.Conv2DTranspose):
        kernel = tf.transpose(kernel, (0, 1, 3, 2))  # Its outputs come before inputs.
    return tf.reshape(kernel, (-1, kernel.shape[-1]))
