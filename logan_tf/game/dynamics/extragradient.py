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

    Both gradients are of the same batch, where the paper's algorithm may draw a second.
    Rates that follow the optimizer's count see two of it an update.
    """

    needs_all_players = True
    evaluations = 2

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Keeps nothing but where the optimizers go."""
        self._ahead = ahead

    def __call__(self, field: Field) -> Weights:
        """v(ω')."""
        return field(self._ahead(field()))
