"""What a penalty is: a term of one player's loss beside the objective's."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.augmentation import Draws
from logan_tf.game.weights import DISCRIMINATOR, Weights


class Sample(NamedTuple):
    """What one replica's players see in a round, after the latents' move.

    Attributes:
      latents: z as it was drawn, [batch, dim]: what is random in a penalty is a hash of
        it (`game.noise`).
      real: images of the data, [batch, *shape].
      fake: G(z'), [batch, *shape]; a penalty's derivative passes through z' too, unless
        the latent rule stops it for the player.
      real_scores: f of `real`, [batch].
      fake_scores: f(z'), [batch].
      labels: of `real`, int [batch].
      fake_labels: of `fake`, int [batch].
      real_draws: uniform numbers [batch, num_draws] that augment `real`.
      fake_draws: those that augment `fake`.
      judge: (images, labels, draws) → scores [batch], augmentation included.
      features: (images, labels, draws) → what D scores, [batch, …], likewise.
      networks: by player; they compute with `weights` while a penalty is called.
      weights: by player, those of this evaluation.
    """

    latents: tf.Tensor
    real: tf.Tensor
    fake: tf.Tensor
    real_scores: tf.Tensor
    fake_scores: tf.Tensor
    labels: tf.Tensor
    fake_labels: tf.Tensor
    real_draws: Draws
    fake_draws: Draws
    judge: Callable[[tf.Tensor, tf.Tensor, Draws], tf.Tensor]
    features: Callable[[tf.Tensor, tf.Tensor, Draws], tf.Tensor]
    networks: Mapping[str, keras.Model]
    weights: Weights


class Penalty(Protocol):
    """sample → a scalar, which is added to a player's loss and differentiated with it.

    The scalar is a mean over a replica's samples, or has nothing to do with them.

    Attributes:
      name: its metric is `<name>_penalty`.
      player: who pays.
      variables: what it keeps from one update to the next; saved with a run. A game
        may be played as often as one likes: only `advance` changes them.
      needs_whole_batches: whether micro-batches would make another penalty of it.
    """

    name: str
    player: str
    variables: Sequence[tf.Variable] = ()
    needs_whole_batches: bool = False

    def build(
        self, networks: Mapping[str, keras.Model], shape: tuple[int, ...]
    ) -> None:
        """Makes its variables, once, for built networks.

        Args:
          networks: by player.
          shape: of an example.

        Raises:
          ConfigurationError: for networks or examples that it is not defined for.
        """
        return

    def __call__(self, sample: Sample) -> tf.Tensor: ...

    def advance(self, players: Sequence[str], metrics: Mapping[str, tf.Tensor]) -> None:
        """Moves what it keeps, after an update; the same at every replica.

        Args:
          players: who were updated; their networks have the new weights.
          metrics: of the update's first evaluation; means over a replica's samples.
        """
        return


def require_features(penalty: Penalty, networks: Mapping[str, keras.Model]) -> None:
    """Raises ConfigurationError for a discriminator that shows no features."""
    discriminator = networks[DISCRIMINATOR]
    if not hasattr(discriminator, "features"):
        raise ConfigurationError(
            f"{type(penalty).__name__} needs a discriminator with a method "
            f"features(images, labels), which {type(discriminator).__name__} has not: "
            "take another, or leave it out of Game.penalties"
        )
