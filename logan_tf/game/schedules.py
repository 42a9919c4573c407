"""In which order the players move: simultaneous, alternating, or as a loss says.

A schedule says which updates a training step has; `training.step` runs them, each kind
traced once however often a step repeats it. A training step has one update of the
generator, its last.
"""

from typing import NamedTuple, Protocol

from logan_tf.errors import ConfigurationError
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS


class Update(NamedTuple):
    """One kind of update, and how often a step makes it, one after the other.

    Every time it takes the next round of the batch.

    Attributes:
      players: who is updated.
      repeats: how often, 1 or more.
      below: once the first player's loss was below it, on the round of an update that
        is made still, that was the last one; None: the loss does not matter.
    """

    players: tuple[str, ...]
    repeats: int = 1
    below: float | None = None


class Schedule(Protocol):
    """The updates of one training step, and how much of a batch they consume."""

    updates: tuple[Update, ...]
    images_per_step: int
    latents_per_step: int


class Simultaneous:
    """Both players' gradients at the same point, from one latent step and one outer
    pass.

    The form of the paper's analysis and of Algorithm 1.
    """

    updates: tuple[Update, ...] = (Update(PLAYERS),)
    images_per_step = 1
    latents_per_step = 1


class Alternating:
    """n updates of the discriminator, then one of the generator.

    Every update draws latents of its own and takes its own latent step.

    Args:
      discriminator_steps: n ≥ 1.

    Raises:
      ConfigurationError: if n < 1.
    """

    def __init__(self, discriminator_steps: int = 1) -> None:
        if discriminator_steps < 1:
            raise ConfigurationError(
                "Alternating.discriminator_steps must be 1 or more, not "
                f"{discriminator_steps}"
            )
        self.updates: tuple[Update, ...] = (
            Update((DISCRIMINATOR,), discriminator_steps),
            Update((GENERATOR,)),
        )
        self.images_per_step = discriminator_steps
        self.latents_per_step = discriminator_steps + 1


class Adaptive:
    """Updates of the discriminator until its loss is low, then one of the generator.

    The loss is that of the update's own round and before it, so there is one update at
    least. What it does not use of a batch is drawn all the same: batches do not depend
    on losses. The metric `discriminator_updates` counts.

    Args:
      threshold: of D's loss, penalties included.
      most: updates of D, 1 or more.

    Raises:
      ConfigurationError: if most < 1.
    """

    def __init__(self, threshold: float, most: int = 5) -> None:
        if most < 1:
            raise ConfigurationError(f"Adaptive.most must be 1 or more, not {most}")
        self.updates: tuple[Update, ...] = (
            Update((DISCRIMINATOR,), most, threshold),
            Update((GENERATOR,)),
        )
        self.images_per_step = most
        self.latents_per_step = most + 1
