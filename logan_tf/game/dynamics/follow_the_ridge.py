"""Follow-the-ridge (Wang, Zhang, Ba 2020, Alg. 2), of a leader x and a follower y.

    x ← x − η_x D,              D = v_x − J_xy J_yy⁻¹ v_y, the total derivative,
    y ← y − η_y v_y + η_x J_yy⁻¹ J_yx D:

the follower makes up for what the leader's step changes in its own gradient, so that
both stay on the ridge v_y = 0, and only local minimax points attract. J_yy⁻¹ is
(J_yy'J_yy + δ)⁻¹ J_yy', by conjugate gradients: defined where a network's Hessian is
singular or indefinite too.
"""

from logan_tf.errors import ConfigurationError
from logan_tf.game import weights
from logan_tf.game.dynamics.conjugate_gradients import solved
from logan_tf.game.dynamics.dynamics import Ahead, Dynamics
from logan_tf.game.field import Field
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, Weights


class FollowTheRidge(Dynamics):
    """Of two players, both at once.

    Args:
      rate_ratio: η_x / η_y > 0, as the optimizers have them.
      iterations: of conjugate gradients, 1 or more; each is two products with J.
      tolerance: ≥ 0, of the residual relative to the right side, where they stop.
      damping: δ ≥ 0.
      leader: x.
      follower: y.

    Raises:
      ConfigurationError: for an argument out of its range.
    """

    needs_all_players = True

    def __init__(
        self,
        rate_ratio: float = 1.0,
        iterations: int = 3,
        tolerance: float = 1e-6,
        damping: float = 0.01,
        leader: str = GENERATOR,
        follower: str = DISCRIMINATOR,
    ) -> None:
        if rate_ratio <= 0 or iterations < 1 or min(tolerance, damping) < 0:
            raise ConfigurationError(
                "FollowTheRidge.rate_ratio must be above 0, iterations 1 or more, "
                "tolerance and damping 0 or more, not "
                f"{rate_ratio}, {iterations}, {tolerance} and {damping}"
            )
        self.rate_ratio = rate_ratio
        self.iterations, self.tolerance, self.damping = iterations, tolerance, damping
        self.leader, self.follower = leader, follower
        self.evaluations = 5 + 4 * iterations

    def build(self, weights: Weights, ahead: Ahead) -> None:
        """Refuses other players; keeps nothing."""
        if set(weights) != {self.leader, self.follower}:
            raise ConfigurationError(
                f"FollowTheRidge needs the players {self.leader} and {self.follower}, "
                f"not {' and '.join(weights)}"
            )

    def __call__(self, field: Field) -> Weights:
        """D, and v_y less the follower's answer to it."""
        x, y = self.leader, self.follower
        v = field()
        answer = self._inverse(field, v[y])
        slope = {x: field.along({y: answer})[x]}
        total = weights.moved({x: v[x]}, slope, -1.0)
        change = self._inverse(field, field.along(total)[y])
        return total | weights.moved({y: v[y]}, {y: change}, -self.rate_ratio)

    def _inverse(self, field: Field, of: list) -> list:
        """J_yy⁻¹ of a vector of the follower's."""
        y = self.follower

        def squared(u: Weights) -> Weights:
            image = {y: field.along(u)[y]}
            return weights.moved({y: field.transposed(image)[y]}, u, self.damping)

        right = {y: field.transposed({y: of})[y]}
        return solved(squared, right, self.iterations, self.tolerance)[y]
