"""Plays a toy by any dynamics, with gradient descent for each player's optimizer."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights
from logan_tf.lab.toys import Toy


class Descent:
    """Steps of a game, ω ← ω − η · (what the dynamics make of the field).

    Args:
      toy: the game; its players move.
      dynamics: built here.
      rate: η of all players, or of each by name.
      schedule: who is updated, one update after the other; None: all at once.
    """

    def __init__(
        self,
        toy: Toy,
        dynamics: Dynamics,
        rate: float | Mapping[str, float],
        schedule: Sequence[Sequence[str]] | None = None,
    ) -> None:
        everybody = tuple(toy.variables)
        self.toy = toy
        self.dynamics = dynamics
        self.rate = (
            rate if isinstance(rate, Mapping) else dict.fromkeys(everybody, rate)
        )
        self._schedule = schedule or [everybody]
        dynamics.build(toy.weights(), self._ahead)
        self.step = tf.function(self._step)

    def restart(self, start: Mapping[str, Sequence[float]]) -> None:
        """Puts the players somewhere; what the dynamics kept is forgotten."""
        for player, place in start.items():
            self.toy.variables[player].assign(place)
        for variable in self.dynamics.variables:
            variable.assign(tf.zeros_like(variable))

    def trajectory(self, num_steps: int) -> np.ndarray:
        """The players, in their order, at the start and after each step: float64
        [num_steps + 1, size].
        """
        rows = [self._players()]
        for _ in range(num_steps):
            self.step()
            rows.append(self._players())
        return np.stack(rows)

    def matrix(self) -> np.ndarray:
        """The matrix of one step of a game whose field is linear, column by column.

        It acts on the players and on what the dynamics keep, and leaves all of that as
        it is after its last column.

        Returns:
          float64 [size, size].
        """
        self.step()  # What is special about a first update is over.
        kept = [v for v in self.dynamics.variables if v.dtype == tf.float64]
        state = [*self.toy.variables.values(), *kept]
        sizes = np.cumsum([int(tf.size(v)) for v in state])
        columns = []
        for unit in np.eye(sizes[-1]):
            for variable, part in zip(state, np.split(unit, sizes), strict=False):
                variable.assign(np.reshape(part, variable.shape))
            self.step()
            columns.append(np.concatenate([np.ravel(v) for v in state]))
        return np.transpose(columns)

    def _step(self) -> None:
        for players in self._schedule:
            others = (None,) * (self.dynamics.rounds - 1)  # There are no samples.
            field = Field(self.toy, None, tuple(players), others=others)
            update = self.dynamics(field)
            for player, (change,) in update.items():
                self.toy.variables[player].assign_sub(self.rate[player] * change)

    def _ahead(self, gradients: Weights) -> Weights:
        slower = {player: -rate for player, rate in self.rate.items()}
        return weights.moved(self.toy.weights(), gradients, slower)

    def _players(self) -> np.ndarray:
        return np.concatenate([v.numpy() for v in self.toy.variables.values()])
