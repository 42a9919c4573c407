"""A vector of the players' that outlives an update."""

from collections.abc import Sequence

import tensorflow as tf

from logan_tf.game.weights import Weights


class Memory:
    """A vector of the shapes of some weights, 0 at first, in variables.

    Every replica writes the same to its own copy.

    Args:
      weights: of the players that it is kept for.

    Attributes:
      variables: player by player.
    """

    def __init__(self, weights: Weights) -> None:
        self._kept = {
            player: [tf.Variable(tf.zeros_like(w), trainable=False) for w in tensors]
            for player, tensors in weights.items()
        }
        self.variables: list[tf.Variable] = tf.nest.flatten(self._kept)

    def read(self, players: Sequence[str]) -> Weights:
        """What was last written for some players."""
        return {
            player: [tf.convert_to_tensor(v) for v in self._kept[player]]
            for player in players
        }

    def write(self, vector: Weights) -> None:
        """Notes a vector; a player that it does not name keeps what it has."""
        for player, tensors in vector.items():
            for variable, value in zip(self._kept[player], tensors, strict=True):
                variable.assign(value)
