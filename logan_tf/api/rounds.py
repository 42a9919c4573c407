"""What an update of `fit` needs besides the images, drawn for each replica."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from logan_tf.data.priors import Prior
from logan_tf.data.random_access import derive_seed
from logan_tf.errors import ConfigurationError
from logan_tf.game.game import Game
from logan_tf.game.round import Round

_LATENTS, _LABELS, _REAL_DRAWS, _FAKE_DRAWS = range(4)


class Rounds(NamedTuple):
    """Makes rounds of a game; all that is random is of (seed, step, replica).

    Attributes:
      game: says how many draws an example takes.
      prior: (shape, seed) → latents.
      latent_dim: their size.
      num_classes: 0: the data has no labels.
      seed: 0 and more.
    """

    game: Game
    prior: Prior
    latent_dim: int
    num_classes: int
    seed: int

    def of(self, data: Any, step: tf.Tensor) -> Round:
        """The round of a step.

        Args:
          data: images, or (images, labels), this replica's part of a batch.
          step: how many updates there were, int64 [].

        Raises:
          ConfigurationError: there are classes, and no labels.
        """
        images, labels = data if isinstance(data, tuple) else (data, None)
        size = tf.shape(images)[0]
        streams = self._streams(step)
        none = tf.zeros([size], tf.int32)
        if labels is None and self.num_classes:
            raise ConfigurationError("num_classes is set: fit needs (images, labels)")
        fake_labels = none
        if self.num_classes:
            fake_labels = tf.random.stateless_uniform(
                [size], streams[_LABELS], 0, self.num_classes, tf.int32, alg="philox"
            )
        draws: tuple[Any, Any] = ((), ())
        if self.game.num_draws:
            draws = tuple(
                tf.random.stateless_uniform([size, self.game.num_draws], each)
                for each in streams[_REAL_DRAWS:]
            )
        return Round(
            images=tf.cast(images, keras.config.floatx()),
            labels=none if labels is None else tf.cast(labels, tf.int32),
            latents=self.prior((size, self.latent_dim), streams[_LATENTS]),
            fake_labels=fake_labels,
            image_draws=draws[0],
            fake_draws=draws[1],
        )

    def _streams(self, step: tf.Tensor) -> list[tf.Tensor]:
        """A seed for each kind of draw."""
        replica = tf.distribute.get_replica_context()
        seed = derive_seed(
            tf.constant((self.seed, 0), tf.int64),
            step,
            0 if replica is None else replica.replica_id_in_sync_group,
        )
        return [derive_seed(seed, stream) for stream in range(4)]
