"""The field of a game: each player's gradient of its own loss, v(w), and its Jacobian.

A `Dynamics` turns it into an update. J is the matrix of ∂v_i / ∂w_j over all players,
neither symmetric nor built; its products are taken by differentiating v once more, so
through latent optimization they need third derivatives.

With replicas v and J are sums over them. Everything here is called by every replica
with the same vectors, and returns the sum to each.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.replicas import summed
from logan_tf.game.weights import Weights

Metrics = dict[str, tf.Tensor]
"""Scalars to watch, by name."""


class Played(NamedTuple):
    """What one replica, or one micro-batch of it, contributes to a field.

    Gradients are of losses that are divided by the number of replicas, and are to be
    added up over these; over micro-batches they are to be averaged. Metrics are means
    over samples, to be averaged over both.

    Attributes:
      gradients: of each player that played.
      second_order: the part of them that came through the latents' move; empty where
        that is a constant to the player.
      metrics: scalars by name.
    """

    gradients: Weights
    second_order: Weights
    metrics: Metrics


class Playable(Protocol):
    """A game of any number of players, as a function of their weights.

    `logan_tf.game.game.Game` is one. Wherever `at` names no weights of a player, its
    own are taken, and are constants to whoever differentiates the result.
    """

    def weights(self) -> Weights:
        """Each player's own weights."""

    def play(self, round_: Any, players: Sequence[str], at: Weights | None) -> Played:
        """The gradients of some players, differentiable in `at`."""

    def loss(self, round_: Any, player: str, at: Weights | None) -> tf.Tensor:
        """A player's loss divided by the number of replicas, differentiable in `at`."""


class Field:
    """v(w) on one round of a game.

    Args:
      game: that is played.
      round_: this replica's part of a round; the same randomness at all weights.
      players: who is to be updated.
      played: what micro-batches of the round gave at the players' own weights, where
        they have been played already.
      others: the update's further rounds, where it has any.

    Attributes:
      players: as above.
      metrics: of the first evaluation, with the norm of each player's gradient and the
        share in it of what came through the latents' move.
    """

    def __init__(
        self,
        game: Playable,
        round_: Any,
        players: Sequence[str],
        played: Played | None = None,
        others: Sequence[Any] = (),
    ) -> None:
        self.players = tuple(players)
        self.metrics: Metrics = {}
        self._game = game
        self._round = round_
        self._played = played
        self._others = others

    @property
    def weights(self) -> Weights:
        """All players' own weights, those who are not updated included."""
        return self._game.weights()

    @property
    def fresh(self) -> "Field":
        """The same field on the next of the update's rounds."""
        round_, *others = self._others
        return Field(self._game, round_, self.players, others=others)

    def __call__(
        self, at: Weights | None = None, players: Sequence[str] | None = None
    ) -> Weights:
        """v(w): the gradient of the global batch, of each player's own loss.

        Args:
          at: w, which may be watched, moved or partly left out; None: the own weights.
          players: whose gradients; None: of those who are to be updated.
        """
        players = self.players if players is None else players
        if at is None and self._played is not None:
            played = self._played
        else:
            played = self._game.play(self._round, players, at)
        if self.metrics:
            return summed(played.gradients)
        gradients, second_order = summed((played.gradients, played.second_order))
        self.metrics = dict(played.metrics)
        for player, gradient in gradients.items():
            self.metrics |= _norms(player, gradient, second_order.get(player))
        return gradients

    def within(self, at: Weights) -> Weights:
        """The weights that the players' constraints make of w, differentiable in it."""
        within = getattr(self._game, "within", None)  # Toys have no constraints.
        return within(at) if within else at

    def loss(self, player: str, at: Weights) -> tf.Tensor:
        """A player's loss at w, divided by the number of replicas.

        A gradient of it is a replica's share: `replicas.summed` makes the whole.
        """
        return self._game.loss(self._round, player, at)

    def transposed(self, u: Weights, at: Weights | None = None) -> Weights:
        """J'u, by one reverse pass over v: for every player, Σ_i ⟨∂v_i/∂w, u_i⟩.

        Args:
          u: a vector of one or more players, the same at every replica.
          at: w; None: the own weights.
        """
        return summed(self._transposed(u, self._completed(at)))

    def along(self, u: Weights, at: Weights | None = None) -> Weights:
        """J u = d v(w + t u)/dt at t = 0, of the players who are to be updated.

        By two reverse passes: y ↦ J'y is linear, and J u is the gradient of ⟨J'y, u⟩.

        Args:
          u: a vector of one or more players, the same at every replica.
          at: w; None: the own weights.
        """
        at = self._completed(at)
        y = {player: [tf.zeros_like(w) for w in at[player]] for player in self.players}
        with tf.GradientTape() as tape:
            tape.watch(y)
            product = weights.inner(u, self._transposed(y, at))
        return summed(tape.gradient(product, y, unconnected_gradients="zero"))

    def _completed(self, at: Weights | None) -> Weights:
        return self.weights | (at or {})

    def _transposed(self, u: Weights, at: Weights) -> Weights:
        """A replica's share of J'u."""
        with tf.GradientTape() as tape:
            tape.watch(at)
            gradients = self._game.play(self._round, tuple(u), at).gradients
            product = weights.inner(u, gradients)
        gradients = tape.gradient(product, at, unconnected_gradients="zero")
        return {player: weights.dense(each) for player, each in gradients.items()}


def _norms(
    player: str, gradient: Iterable[tf.Tensor], second_order: list[tf.Tensor] | None
) -> Metrics:
    """‖v_i‖ of a player, and the norm of the second-order part as a share of it."""
    norm = tf.linalg.global_norm(gradient)
    share = tf.zeros_like(norm)
    if second_order:
        share = tf.math.divide_no_nan(tf.linalg.global_norm(second_order), norm)
    return {f"{player}_gradient_norm": norm, f"{player}_second_order_share": share}
