"""Extragradient: ω' = ω − ηv(ω), ω − ηv(ω') (Korpelevich 1976; Gidel et al. 2018).

It looks ahead by the players' own optimizers and within the constraints of their
weights. With Adam it is ExtraAdam (Gidel et al., Alg. 4, option 1): the same moments
take in both gradients, and are corrected for twice as many of them.
"""

from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import Weights


class Extragradient(Dynamics):
    """Of any number of players, all at once.

    Rates that follow the optimizer's count see two of it an update.

    Args:
      fresh_batch: whether the second gradient is of a batch of its own, so that a step
        takes twice as many examples and latents; else both are of the same one.
    """

    needs_all_players = True
    evaluations = 2

    def __init__(self, fresh_batch: bool = False) -> None:
        self.fresh_batch = fresh_batch
        self.rounds = 1 + fresh_batch

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Keeps nothing but where the optimizers go."""
        self._ahead = ahead

    def __call__(self, field: Field) -> Weights:
        """v(ω')."""
        ahead = self._ahead(field())
        return (field.fresh if self.fresh_batch else field)(ahead)
