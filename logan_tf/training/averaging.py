"""Averages of the generator's weights: exponential, and over all steps."""

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
                f"{type(self).__name__}.start_step must be 0 or more, not {start_step}"
            )
        self.decay = decay
        self.start_step = start_step

    def share(self, step: tf.Tensor) -> float | tf.Tensor:
        """What the newest weights have of the average, 1 − d."""
        return 1 - self.decay

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
            moved = mean + self.share(step) * (variable - mean)
            mean.assign(tf.where(step < self.start_step, variable.value, moved))
        for mean, variable in zip(
            averaged.non_trainable_variables,
            network.non_trainable_variables,
            strict=True,
        ):
            if not variable.name.startswith("standing_"):
                mean.assign(variable)


class PolynomialAverage(ExponentialMovingAverage):
    """The mean of θ over all steps n = 0, 1, … from a starting one on, uniform or later
    ones more: weights grow as n^p.

    θ̄ ← θ̄ + (p + 1) / (n + p + 1) (θ − θ̄), Shamir & Zhang 2013. Where
    a game goes round in circles the uniform mean converges (Gidel et al. 2018).

    Args:
      power: p ≥ 0; 0 is uniform.
      start_step: the first step that averages.

    Raises:
      ConfigurationError: for a negative power or start.
    """

    def __init__(self, power: float = 0.0, start_step: int = 0) -> None:
        super().__init__(0.0, start_step)
        if power < 0:
            raise ConfigurationError(
                f"PolynomialAverage.power must be 0 or more, not {power}"
            )
        self.power = power

    def share(self, step: tf.Tensor) -> float | tf.Tensor:
        """What the newest weights have of the average."""
        num_before = tf.cast(tf.maximum(step - self.start_step, 0), tf.float32)
        return (self.power + 1) / (num_before + self.power + 1)
