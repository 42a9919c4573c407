"""Extrapolation from the past: ω'_t = ω_t − ηv(ω'_{t−1}), ω_{t+1} = ω_t − ηv(ω'_t).

Popov 1980; Gidel et al. 2018: extragradient for one evaluation, since the look-ahead
takes the gradient of the update before. It looks ahead by the players' own optimizers,
within constraints; with Adam it is their Alg. 4, option 2. With SGD its ω' are the
iterates of the optimistic method.
"""

from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.dynamics.memory import Memory
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class ExtrapolationFromThePast(Dynamics):
    """Of any number of players, all at once. With SGD the first update
    is a plain one.

    Rates that follow the optimizer's count see two of it an update.
    """

    needs_all_players = True

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Makes room for v(ω'), 0 before the first update."""
        self._ahead = ahead
        self._past = Memory(weights)
        self.variables = self._past.variables

    def __call__(self, field: Field) -> Weights:
        """v(ω'), which is noted for the next update."""
        v = field(self._ahead(self._past.read(field.players)))
        self._past.write(v)
        return v
