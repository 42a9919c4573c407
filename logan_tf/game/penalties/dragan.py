"""DRAGAN (Kodali et al. 2017): a discriminator that is smooth around the data,

    flat:  λ E‖∇D(x + δ)‖²                         δ ~ N(0, c I)
    below: λ E max(0, ‖∇D(x + δ)‖² − k)
    at:    λ E(‖∇D(x + δ)‖ − k)²

the three forms of the lectures; the last is the paper's.
"""

import math

import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.game import noise
from logan_tf.game.penalties import slopes
from logan_tf.game.penalties.penalty import Penalty, Sample
from logan_tf.game.weights import DISCRIMINATOR

_FORMS = ("flat", "below", "at")
_NOISE = 1  # the stream


class Dragan(Penalty):
    """Of the real images alone.

    Args:
      weight: λ ≥ 0.
      form: "flat", "below" or "at".
      target: k ≥ 0; "flat" has none.
      variance: c ≥ 0, of the noise; pictures are in [-1, 1].

    Raises:
      ConfigurationError: for a negative number or an unknown form.
    """

    name = "dragan"
    player = DISCRIMINATOR

    def __init__(
        self,
        weight: float = 10.0,
        form: str = "at",
        target: float = 1.0,
        variance: float = 0.25,
    ) -> None:
        require_at_least(
            0,
            **{
                "Dragan.weight": weight,
                "Dragan.target": target,
                "Dragan.variance": variance,
            },
        )
        if form not in _FORMS:
            raise ConfigurationError(
                f"Dragan.form is one of {', '.join(_FORMS)}, not {form!r}"
            )
        self.weight = weight
        self.form = form
        self.target = target
        self.variance = variance

    def __call__(self, sample: Sample) -> tf.Tensor:
        """A scalar."""
        shape = tuple(sample.real.shape[1:])
        delta = noise.normal(sample.latents, shape, _NOISE)
        around = sample.real + math.sqrt(self.variance) * tf.cast(
            delta, sample.real.dtype
        )
        squares = slopes.squared_norms(sample, around, sample.labels, sample.real_draws)
        if self.form == "flat":
            cost = squares
        elif self.form == "below":
            cost = tf.nn.relu(squares - self.target)
        else:
            cost = tf.square(slopes.norms(squares) - self.target)
        return self.weight * tf.reduce_mean(cost)
