"""What dynamics are: a way of turning the field of a game into the players' update.

J is the Jacobian of the field v, A = ½(J − J') its antisymmetric part. What a method
returns goes through each player's optimizer, so that its equations, written for steps
of a fixed size η, are those of SGD.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import tensorflow as tf

from logan_tf.game.field import Field
from logan_tf.game.weights import Weights

Ahead: TypeAlias = Callable[[Weights], Weights]
"""Gradients of all players → the weights to which their optimizers would go, within
constraints. The optimizers note the gradients (moments, counts); the players stay.
"""


class Dynamics(Protocol):
    """field → what each player's optimizer gets in the place of a gradient.

    It is called once an update, by every replica, and returns the same at each: what
    the field gives is summed over replicas already.

    Attributes:
      variables: what it keeps from one update to the next; saved with a run.
      needs_all_players: whether all players have to be updated at once.
      rounds: how many rounds of the batch an update takes; those after the first are
        for evaluations on a fresh one, by `Field.fresh`.
      evaluations: how often an update plays the game. A field, a product with its
        Jacobian, and a loss are one each, whatever it costs to differentiate them.
    """

    variables: Sequence[tf.Variable] = ()
    needs_all_players: bool = False
    rounds: int = 1
    evaluations: int = 1

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Makes its variables, once, for players of these weights.

        Raises:
          ConfigurationError: for players that it is not defined for.
        """
        return

    def __call__(self, field: Field) -> Weights:
        """The update of `field.players`, in the shapes of their weights."""
