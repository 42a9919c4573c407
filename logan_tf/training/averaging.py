"""An exponential moving average of the generator's weights."""

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError


class ExponentialMovingAverage:
    """θ̄ ← d θ̄ + (1 − d) θ from a starting step on; before it θ̄ is a copy of θ.

    Karras et al. 2018, §4; the start as in public BigGAN code, which lets the average
    begin from trained weights. Variables that are not trained (spectral-norm vectors)
    are copied; standing statistics are the average's own and are left alone.

    Args:
      decay: d in [0, 1); 0 is no averaging.
      start_step: the first step that averages.

    Raises:
      ConfigurationError: for a decay outside [0, 1) or a negative start.
    """

    def __init__(self, decay: float = 0.999, start_step: int = 0) -> None:
        if not 0 <= decay < 1:
            raise ConfigurationError(
                f"ExponentialMovingAverage.decay must be in [0, 1), not {decay}"
            )
        if start_step < 0:
            raise ConfigurationError(
                "ExponentialMovingAverage.start_step must be 0 or more, not "
                f"{start_step}"
            )
        self.decay = decay
        self.start_step = start_step

    def update(
        self, averaged: keras.Model, network: keras.Model, step: tf.Tensor
    ) -> None:
        """Moves `averaged` towards `network`, two networks of one architecture.

        Args:
          averaged: holds θ̄.
          network: holds θ, already updated by this step.
          step: int64 scalar, the number of steps done before this one.
        """
        pairs = zip(
            averaged.trainable_variables, network.trainable_variables, strict=True
        )
        for mean, variable in pairs:
            moved = mean + (1 - self.decay) * (variable - mean)
            mean.assign(tf.where(step < self.start_step, variable.value, moved))
        for mean, variable in zip(
            averaged.non_trainable_variables,
            network.non_trainable_variables,
            strict=True,
        ):
            if not variable.name.startswith("standing_"):
                mean.assign(variable)
