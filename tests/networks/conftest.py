"""Networks in NumPy: convolutions as nested loops over positions, and what is made of
them.
"""

import math
from collections.abc import Callable

import keras
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(0)


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _convolve(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    size, width = x.shape[1], kernel.shape[0]
    padding = _padding(size, width, stride)
    x = np.pad(x, ((0, 0), padding, padding, (0, 0)))
    outputs = range(-(-size // stride))
    rows = []
    for i in outputs:
        patches = [
            x[:, stride * i : stride * i + width, stride * j : stride * j + width]
            for j in outputs
        ]
        rows.append([np.tensordot(patch, kernel, 3) for patch in patches])
    return np.transpose(rows, (2, 0, 1, 3))


def _upsample(x: np.ndarray, kernel: np.ndarray, size: int) -> np.ndarray:
    """The transpose of `_convolve` by stride 2 from `size`; kernel [h, w, out, in]."""
    width, (low, high) = kernel.shape[0], _padding(size, kernel.shape[0], 2)
    whole = size + low + high
    y = np.zeros((len(x), whole, whole, kernel.shape[2]))
    for i in range(x.shape[1]):
        for j in range(x.shape[1]):
            patch = np.einsum("bc,hwoc->bhwo", x[:, i, j], kernel)
            y[:, 2 * i : 2 * i + width, 2 * j : 2 * j + width] += patch
    return y[:, low : low + size, low : low + size]


@pytest.fixture(scope="session")
def convolve() -> Callable:
    """(x [b, n, n, c], kernel [k, k, c, d], stride) → "same" convolution."""
    return _convolve


@pytest.fixture(scope="session")
def upsample() -> Callable:
    """(x [b, n, n, c], kernel [k, k, d, c], size) → [b, size, size, d]."""
    return _upsample


class Oracle:
    """Forward passes of blocks and networks.

    Args:
      convolve: (x, kernel, stride) → "same" convolution.
      divided: layer → kernel, divided by σ where the layer is spectrally normalized.
    """

    def __init__(self, convolve, divided):
        self._convolve = convolve
        self._divided = divided

    def convolution(self, layer, x):
        y = self._convolve(x, self._divided(layer))
        return y + np.array(layer.bias) if layer.use_bias else y

    def dense(self, layer, x):
        return x @ self._divided(layer) + np.array(layer.bias)

    def conditional(self, layer, x, condition):
        gain = 1 + condition @ self._divided(layer.gain)
        bias = condition @ self._divided(layer.bias)
        return self.standard(layer, x) * gain[:, None, None] + bias[:, None, None]

    def standard(self, layer, x):
        axes = (0, 1, 2)
        return (x - x.mean(axes)) / np.sqrt(x.var(axes) + layer.epsilon)

    def attention(self, layer, x):
        batch, height, width, channels = x.shape

        def project(convolution, x):
            return x @ self._divided(convolution)[0, 0]

        def pooled(x):
            x = x.reshape(batch, height // 2, 2, width // 2, 2, -1)
            return x.max((2, 4)).reshape(batch, height * width // 4, -1)

        query = project(layer.theta, x).reshape(batch, height * width, -1)
        keys = pooled(project(layer.phi, x))
        weights = np.exp(query @ keys.transpose(0, 2, 1))
        weights /= weights.sum(-1, keepdims=True)
        attended = weights @ pooled(project(layer.g, x))
        attended = attended.reshape(batch, height, width, channels // 2)
        return x + np.array(layer.gamma) * project(layer.o, attended)

    def score(self, layer, x, labels):
        features = x.sum((1, 2))
        score = self.dense(layer.score, features)[:, 0]
        if layer.num_classes:
            table = self._divided(layer.embedding)
            score += (table[labels] * features).sum(-1)
        return score

    @staticmethod
    def leaky(x, slope):
        return np.where(x > 0, x, slope * x)

    @staticmethod
    def doubled(x):
        return x.repeat(2, 1).repeat(2, 2)

    @staticmethod
    def halved(x):
        batch, height, width, channels = x.shape
        x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
        return x.mean((2, 4))


@pytest.fixture(scope="session")
def oracle(convolve: Callable, divided: Callable) -> Oracle:
    """Forward passes of layers, from what they hold."""
    return Oracle(convolve, divided)


@pytest.fixture(scope="session")
def count() -> Callable:
    """(network, shape of its input without the batch) → number of trained parameters.

    With zeros for kernels: the counts of large networks cost no factorizations.
    """

    def trained(network: keras.Model, shape: tuple[int, ...]) -> int:
        kind = keras.initializers
        with pytest.MonkeyPatch.context() as patch:
            for initializer in (kind.Orthogonal, kind.VarianceScaling):
                patch.setattr(initializer, "__call__", _zeros)
            network.build((None, *shape))
        return sum(math.prod(v.shape) for v in network.trainable_variables)

    return trained


def _zeros(initializer, shape, dtype=None):
    return keras.ops.zeros(shape, dtype)


@pytest.fixture(scope="session")
def randomize() -> Callable:
    """Gives a built network biases, gains and offsets that are not neutral."""

    def shift(network: keras.Model) -> None:
        rng = np.random.default_rng(0)
        for variable in network.trainable_variables:
            if len(variable.shape) < 2 or variable.name == "gamma":
                variable.assign_add(0.3 * rng.normal(size=variable.shape))

    return shift


@pytest.fixture(scope="session")
def stages() -> Callable:
    """(network, input shape) → (layer's class, size, channels) after each of them.

    Of the blocks and the self-attention, in the order in which they are called.
    """

    def record(network: keras.Model, shape: tuple[int, ...]) -> list[tuple]:
        seen = []

        def watch(layer: keras.layers.Layer) -> None:
            call = layer.call

            def watched(x, *args, **kwargs):
                y = call(x, *args, **kwargs)
                seen.append((type(layer).__name__, y.shape[1], y.shape[-1]))
                return y

            layer.call = watched

        attention = getattr(network, "_attention", None)
        for layer in network._blocks + ([attention] if attention else []):
            watch(layer)
        labels = keras.KerasTensor((2,), dtype="int32")
        network(keras.KerasTensor((2, *shape)), labels)
        return seen

    return record
