"""The players' optimizers, and what the dynamics have them do."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.field import Field, Metrics
from logan_tf.game.game import Game
from logan_tf.game.weights import Weights


class Optimization:
    """Builds the optimizers' and the dynamics' variables; create it in the scope.

    Args:
      game: whose players learn.
      optimizers: Keras's, one object for each player.
      dynamics: how the game's field becomes their update.

    Raises:
      ConfigurationError: for players that the dynamics are not defined for, or an
        optimizer that scales losses.
      TypeError: for an optimizer that sums gradients over replicas in its own way.
    """

    def __init__(
        self,
        game: Game,
        optimizers: Mapping[str, keras.optimizers.Optimizer],
        dynamics: Dynamics,
    ) -> None:
        self._game = game
        self.optimizers = dict(optimizers)
        self.dynamics = dynamics
        for player, optimizer in self.optimizers.items():
            _leave_gradients_as_they_are(optimizer)
            optimizer.build(game.variables(player))
        dynamics.build(game.weights(), self.ahead)

    def ahead(self, gradients: Weights) -> Weights:
        """The weights to which the optimizers would go from here, the others' as well.

        They note the gradients; the players are put back where they were.
        """
        own = self._game.weights()
        for player, gradient in gradients.items():
            self.optimizers[player].apply(gradient, self._game.variables(player))
        ahead = self._game.weights()
        for player in gradients:
            pairs = zip(self._game.variables(player), own[player], strict=True)
            for variable, value in pairs:
                variable.assign(value)
        return ahead

    def update(self, field: Field) -> Metrics:
        """Moves the players of a field; its metrics, and the norm of each change.

        Every replica writes the same to its own copy.
        """
        metrics: Metrics = {}
        for player, update in self.dynamics(field).items():
            metrics[f"{player}_update_norm"] = self.apply(player, update)
        kept = self._game.advance(field.players, field.metrics)
        return field.metrics | metrics | kept

    def apply(self, player: str, update: list[tf.Tensor]) -> tf.Tensor:
        """Applies an update, the same at every replica; the norm of the change."""
        variables = self._game.variables(player)
        before = [tf.identity(variable.value) for variable in variables]
        self.optimizers[player].apply(update, variables)
        return tf.linalg.global_norm(
            [
                variable.value - old
                for variable, old in zip(variables, before, strict=True)
            ]
        )


def numbers_kept(optimizer: keras.optimizers.Optimizer) -> int:
    """How many numbers it keeps beside each that it trains: Adam's two moments.

    Counted by another one of its kind; 0 of one that cannot be made again.
    """
    try:
        probe = type(optimizer).from_config(optimizer.get_config())
    except (
        AttributeError,
        TypeError,
        ValueError,
    ):  # Of a class with arguments of its own.
        return 0
    before = len(probe.variables)
    probe.build([keras.Variable([0.0])])
    return len(probe.variables) - before


def _leave_gradients_as_they_are(optimizer: keras.optimizers.Optimizer) -> None:
    """Has an optimizer not sum gradients over replicas a second time.

    Keras would, after it has clipped each replica's own: clipped like this, the steps
    would depend on the number of replicas.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        raise ConfigurationError(
            "LossScaleOptimizer divides by a scale that losses here are not "
            "multiplied with: give the optimizer that it holds, and take bfloat16"
        )
    if not hasattr(optimizer, "_all_reduce_sum_gradients"):
        raise TypeError(
            f"{type(optimizer).__name__} sums gradients in a way of its own"
        )
    optimizer._all_reduce_sum_gradients = list
