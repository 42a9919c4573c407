"""Orthogonal regularization of the generator, in the form of Brock et al. 2018, eq. 3.

Of the Gram matrix of a kernel's filters only what is off the diagonal is to vanish, so
that their norms are free,

    R(W) = β ‖Wᵀ W ⊙ (1 − I)‖²_F,

the columns of W being the filters, 1 the matrix of ones. As in its public code,
embeddings are left out.
"""

from collections.abc import Iterable

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.weights import GENERATOR


class Orthogonality(Penalty):
    """R(W), summed over the generator's kernels.

    Args:
      weight: β ≥ 0; the paper's is 1e-4.

    Raises:
      ConfigurationError: for a negative weight.
    """

    name = "orthogonality"
    player = GENERATOR

    def __init__(self, weight: float = 1e-4) -> None:
        if weight < 0:
            raise ConfigurationError(
                f"Orthogonality.weight must be 0 or more, not {weight}"
            )
        self.weight = weight

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar; of the samples it depends on none."""
        return self.weight * off_diagonal(matrices(sample.networks[self.player]))


def matrices(network: keras.Model) -> list[tf.Tensor]:
    """Each kernel of a network as W [fan-in, outputs], a filter a column."""
    return [
        _matrix(layer)
        for layer in network._flatten_layers(include_self=False)
        if isinstance(getattr(layer, "kernel", None), keras.Variable)
    ]


def off_diagonal(kernels: Iterable[tf.Tensor]) -> tf.Tensor:
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
