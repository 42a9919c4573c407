"""The optimistic method: ω_{t+1} = ω_t − 2u_t + u_{t−1} (Daskalakis et al. 2018).

u_t is the step of a player's optimizer with the gradient at ω_t: ηv(ω_t) of SGD, and
with Adam this is OptimisticAdam (Alg. 1). Written for z_t = ω_t + u_{t−1} it is

    z_{t+1} = z_t − u_t,    ω_t = z_t + (z_t − z_{t−1}):

the optimizer's usual step, of gradients that are taken ahead by the step before. So any
optimizer can make it. The players' weights are z, of which ω is a step ahead; both have
the same limits and rates.
"""

import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.dynamics.memory import Memory
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class Optimistic(Dynamics):
    """Of any number of players, all at once. The first update is a plain one.

    Where weights have constraints, ω may be outside of them; z is not.
    """

    needs_all_players = True

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Makes room for z_{t−1}."""
        self._before = Memory(weights)
        self._begun = tf.Variable(False, trainable=False)
        self.variables = [*self._before.variables, self._begun]

    def __call__(self, field: Field) -> Weights:
        """v(ω_t)."""
        own = field.weights
        before = self._before.read(tuple(own))
        # Not noted at the start: a run may take its weights from another one then.
        since = tf.cast(
            tf.convert_to_tensor(self._begun), next(iter(own.values()))[0].dtype
        )
        step = {
            player: [since * (a - b) for a, b in zip(own[player], old, strict=True)]
            for player, old in before.items()
        }
        self._before.write(own)
        self._begun.assign(True)
        return field(weights.moved(own, step, 1.0))
