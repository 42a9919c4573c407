"""Sums of what an update's micro-batches contribute, in variables.

TensorFlow refuses replicas that meet inside a loop of their own, so micro-batches are a
loop around `strategy.run`, and what they leave has to outlive a run.
"""

from collections.abc import Sequence

import tensorflow as tf

from logan_tf.game.field import Played
from logan_tf.game.game import Game
from logan_tf.game.weights import PLAYERS


class Accumulation:
    """One replica's sums of gradients, 0 between updates: no part of a checkpoint.

    Create it in a strategy's scope.

    Args:
      game: whose gradients.
      parts: micro-batches of an update; with 1 there is nothing to keep.
    """

    def __init__(self, game: Game, parts: int) -> None:
        self.parts = parts
        players = PLAYERS if parts > 1 else ()
        self._gradients = {player: _zeros(game, player) for player in players}
        self._second_order = {
            player: _zeros(game, player) if game.latent_rule.is_seen_by(player) else []
            for player in players
        }

    @property
    def variables(self) -> list[tf.Variable]:
        """All sums."""
        return tf.nest.flatten((self._gradients, self._second_order))

    def clear(self, players: Sequence[str]) -> None:
        """Sets the sums of some players to 0."""
        for total in self._of(players):
            total.assign(tf.zeros_like(total))

    def add(self, played: Played) -> None:
        """Adds what a micro-batch contributes."""
        players = tuple(played.gradients)
        added = tf.nest.flatten((played.gradients, played.second_order))
        for total, more in zip(self._of(players), added, strict=True):
            total.assign_add(more)

    def mean(self, players: Sequence[str]) -> Played:
        """What the micro-batches contribute together; without metrics."""
        gradients, second_order = tf.nest.map_structure(
            lambda total: total / self.parts, self._sums(players)
        )
        return Played(gradients, second_order, metrics={})

    def _sums(self, players: Sequence[str]) -> tuple[dict, dict]:
        gradients = {player: self._gradients[player] for player in players}
        return gradients, {player: self._second_order[player] for player in players}

    def _of(self, players: Sequence[str]) -> list[tf.Variable]:
        return tf.nest.flatten(self._sums(players))


def _zeros(game: Game, player: str) -> list[tf.Variable]:
    return [
        tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
        for variable in game.variables(player)
    ]
