"""Balanced consistency, bCR (Zhao et al. 2020, Alg. 1): D is to score an image and its
augmentation alike,

    λ_r E(D(T(x)) − D(x))² + λ_f E(D(T(G(z'))) − D(G(z')))².
"""

from collections.abc import Mapping

import keras
import tensorflow as tf

from logan_tf.errors import require_at_least
from logan_tf.game import noise
from logan_tf.game.augmentation import Augmentation, DiffAugment
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.weights import DISCRIMINATOR

_REAL, _FAKE = 2, 3  # streams


class BalancedConsistency(Penalty):
    """With draws of its own; where the game augments too, D(x) is of what D sees.

    Args:
      real_weight: λ_r ≥ 0.
      fake_weight: λ_f ≥ 0.
      augmentation: T; None: `DiffAugment`.

    Raises:
      ConfigurationError: for a negative weight.
    """

    name = "consistency"
    player = DISCRIMINATOR

    def __init__(
        self,
        real_weight: float = 10.0,
        fake_weight: float = 10.0,
        augmentation: Augmentation | None = None,
    ) -> None:
        require_at_least(
            0,
            **{
                "BalancedConsistency.real_weight": real_weight,
                "BalancedConsistency.fake_weight": fake_weight,
            },
        )
        self.real_weight = real_weight
        self.fake_weight = fake_weight
        self.augmentation = augmentation or DiffAugment()

    def build(
        self, networks: Mapping[str, keras.Model], shape: tuple[int, ...]
    ) -> None:
        """Raises ConfigurationError for examples that T does not transform."""
        self.augmentation(
            tf.zeros([1, *shape]), tf.zeros([1, self.augmentation.num_draws])
        )

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar; the part of G(z') has a derivative through z' too."""
        real = self._distance(
            sample,
            (sample.real, sample.labels, sample.real_draws),
            sample.real_scores,
            _REAL,
        )
        fake = self._distance(
            sample,
            (sample.fake, sample.fake_labels, sample.fake_draws),
            sample.fake_scores,
            _FAKE,
        )
        return self.real_weight * real + self.fake_weight * fake

    def _distance(
        self, sample: Sample, judged: tuple, scores: tf.Tensor, stream: int
    ) -> tf.Tensor:
        images, labels, draws = judged
        number = self.augmentation.num_draws
        own = tf.cast(noise.uniform(sample.latents, (number,), stream), images.dtype)
        changed = sample.judge(self.augmentation(images, own), labels, draws)
        return tf.reduce_mean(tf.square(changed - scores))
