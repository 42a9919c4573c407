"""LOGAN by `fit`: two Keras networks, a ring of eight Gaussians, a picture."""

import keras
import matplotlib.pyplot as plt
import numpy as np

import logan_tf
from logan_tf.layers.spectral_normalization import SpectralDense

keras.utils.set_random_seed(0)
dense, relu = keras.layers.Dense, keras.layers.LeakyReLU(0.2)
generator = keras.Sequential(
    [keras.Input([16]), dense(64), relu, dense(64), relu, dense(2)]
)
discriminator = keras.Sequential(
    [keras.Input([2]), SpectralDense(64), relu, SpectralDense(64), relu, dense(1)]
)

angles = np.pi / 4 * np.random.randint(8, size=20_000)
ring = np.stack([np.cos(angles), np.sin(angles)], -1) + 0.02 * np.random.randn(
    20_000, 2
)

model = logan_tf.LOGAN(generator, discriminator)
model.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(1e-3, 0.5))

if __name__ == "__main__":
    model.fit(ring.astype(np.float32), batch_size=128, epochs=5)
    model.save_weights("ring.weights.h5")
    plt.scatter(*ring[:2000].T, s=2)
    plt.scatter(*model.generate(2000).T, s=2)
    plt.savefig("ring.png")
