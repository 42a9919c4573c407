"""One round of the game: the part of a batch that one update of the players takes."""

from typing import NamedTuple

import tensorflow as tf

from logan_tf.data.batch import Batch


class Round(NamedTuple):
    """What one update of the players needs."""

    images: tf.Tensor  # [batch, *shape], real
    labels: tf.Tensor  # int [batch]
    latents: tf.Tensor  # [batch, dim]
    fake_labels: tf.Tensor  # int [batch]
    image_draws: tf.Tensor | tuple[()] = ()  # [batch, num_draws], for `images`
    fake_draws: tf.Tensor | tuple[()] = ()  # [batch, num_draws], for those of `latents`

    @classmethod
    def of(
        cls,
        batch: Batch,
        number: int | tf.Tensor,
        part: int | tf.Tensor = 0,
        parts: int = 1,
    ) -> "Round":
        """One round of a batch, or a part of it.

        A part has every `parts`-th example, so that on any number of replicas, each
        with consecutive examples, the parts of all replicas together are the same ones.

        Args:
          batch: images [batch, images_per_step, …], latents [batch, latents_per_step,
            dim], labels alike.
          number: of the update in its step. Where the batch has no images for the last
            update, the generator's, it gets those of the update before.
          part: 0 to parts − 1.
          parts: how many; they divide the batch.
        """

        def take(x: tf.Tensor) -> tf.Tensor:
            last = x.shape[1] - 1
            taken = x[:, min(number, last) if isinstance(number, int) else number]
            if parts == 1:
                return taken
            return tf.reshape(taken, (-1, parts, *taken.shape[1:]))[:, part]

        return cls(*tf.nest.map_structure(take, tuple(batch)))
