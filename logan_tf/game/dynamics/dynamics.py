"""What dynamics are: a way of turning the field of a game into the players' update."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class Dynamics(Protocol):
    """field → what each player's optimizer gets in the place of a gradient.

    It is called once an update, by every replica, and returns the same at each: what
    the field gives is summed over replicas already.

    Attributes:
      variables: what it keeps from one update to the next; saved with a run.
    """

    variables: Sequence[tf.Variable] = ()

    def build(self, weights: Weights) -> None:
        """Makes its variables, once, for players of these weights."""
        return

    def __call__(self, field: Field) -> Weights:
        """The update of `field.players`, in the shapes of their weights."""
