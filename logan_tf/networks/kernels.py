"""How the kernels of a residual network are made."""

from typing import NamedTuple

import keras

from logan_tf.layers.convolution import Conv2D
from logan_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense

# Where a size is not known it is None, which no layer here asks about.
Shape = tuple


class Kernels(NamedTuple):
    """How a network's kernels start, and what σ they are divided by.

    The initializer is a name, for then every kernel has one of its own: two kernels of
    one `keras.initializers.Initializer` would start equal.
    """

    initializer: str = "orthogonal"
    spectral_epsilon: float | None = 1e-4  # None: no spectral norms.

    def convolution(self, channels: int, kernel_size: int) -> keras.layers.Conv2D:
        """A convolution that keeps the size of the feature map."""
        settings = {"padding": "same", "kernel_initializer": self.initializer}
        if self.spectral_epsilon is None:
            return Conv2D(channels, kernel_size, **settings)
        return SpectralConv2D(
            channels, kernel_size, epsilon=self.spectral_epsilon, **settings
        )

    def dense(self, units: int, dtype: str) -> keras.layers.Dense:
        """A dense layer that computes in a dtype."""
        settings = {"kernel_initializer": self.initializer, "dtype": dtype}
        if self.spectral_epsilon is None:
            return keras.layers.Dense(units, **settings)
        return SpectralDense(units, epsilon=self.spectral_epsilon, **settings)
