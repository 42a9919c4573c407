"""Our side of the comparison: the game, its file, its gradients and its steps."""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from logan_tf.benchmarks import steps, variants
from logan_tf.data.batch import Batch
from logan_tf.game.game import Game
from logan_tf.game.round import Round
from logan_tf.layers import spectral_normalization
from logan_tf.networks import sngan
from logan_tf.training.experiment import Experiment

_SIZE, _CHANNELS, _LATENT_DIM = 32, 3, 128


class _Shapes:
    """A data set of which only the shape is wanted."""

    shape = (_SIZE, _SIZE, _CHANNELS)
    num_classes = 0

    def examples(self, **_: object) -> tf.data.Dataset:
        raise NotImplementedError


class OurGame:
    """SN-GAN 32×32 with weights that are not neutral, and a batch for it.

    Built in Keras's current dtype.

    Args:
      width: of both networks.
      batch_size: of one update.
    """

    def __init__(self, width: int, batch_size: int) -> None:
        self._experiment = Experiment(
            dataset=_Shapes(),
            generator=lambda: sngan.Generator(_SIZE, _CHANNELS, width, _LATENT_DIM),
            discriminator=lambda: sngan.Discriminator(_SIZE, _CHANNELS, width),
            generator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
            discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
            game=Game,
            batch_size=batch_size,
        )
        rng = np.random.default_rng(0)
        experiment = self._experiment
        self._networks = {
            "generator": experiment.generator,
            "discriminator": experiment.discriminator,
        }
        for network in self._networks.values():
            for variable in network.trainable_variables:
                if len(variable.shape) == 1:
                    variable.assign_add(0.3 * rng.normal(size=variable.shape))
        dtype = keras.config.floatx()
        noise = variants.noise(experiment)
        self._batch = Batch(
            tf.cast(noise.images, dtype),
            tf.zeros([batch_size, 1], tf.int32),
            tf.cast(noise.latents, dtype),
            tf.zeros([batch_size, 1], tf.int32),
        )

    def write(self, path: Path) -> None:
        """The weights, vectors and batch as an .npz."""
        layers = spectral_normalization.normalized_layers(
            self._experiment.discriminator
        )
        listed = {
            **{name: net.trainable_variables for name, net in self._networks.items()},
            "vector": [layer.spectral_norm.vector for layer in layers],
        }
        arrays = {
            f"{name}/{index}": np.array(variable)
            for name, variables in listed.items()
            for index, variable in enumerate(variables)
        }
        arrays["images"] = self._batch.images[:, 0].numpy()
        arrays["latents"] = self._batch.latents[:, 0].numpy()
        np.savez(path, **arrays)

    def largest_difference(self, variant: str, theirs: dict[str, np.ndarray]) -> float:
        """Between gradients, relative to the largest entry of the player's gradient.

        Args:
          variant: whose gradients they are, at the weights that `write` wrote.
          theirs: "<player>/<number>" → gradient, in our layout.
        """
        game = variants.of(self._experiment, variant).game
        batch = self._batch
        round_ = Round(
            batch.images[:, 0],
            batch.labels[:, 0],
            batch.latents[:, 0],
            batch.labels[:, 0],
        )
        gradients = tf.function(game.play)(round_).gradients
        worst = 0.0
        for player, found in gradients.items():
            largest = max(float(tf.reduce_max(tf.abs(gradient))) for gradient in found)
            for index, gradient in enumerate(found):
                difference = np.abs(gradient.numpy() - theirs[f"{player}/{index}"])
                worst = max(worst, float(difference.max()) / largest)
        return worst

    def step(self, variant: str) -> Callable[[], object]:
        """One training step as training runs it, metrics included."""
        strategy = tf.distribute.get_strategy()
        return steps.compiled(variants.of(self._experiment, variant), strategy)


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
