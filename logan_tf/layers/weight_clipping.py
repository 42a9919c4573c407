"""Weight clipping (Arjovsky et al. 2017, Algorithm 1): the critic's weights stay in a
box, so that its slope is bounded.
"""

import keras
import tensorflow as tf

from logan_tf.errors import require_above


class WeightClipping(keras.constraints.Constraint):
    """Puts each weight into [−limit, limit] after each update of an optimizer.

    Args:
      limit: c > 0; the paper takes 0.01.

    Raises:
      ConfigurationError: for a limit of 0 or less.
    """

    def __init__(self, limit: float = 0.01) -> None:
        require_above(0, **{"WeightClipping.limit": limit})
        self.limit = limit

    def __call__(self, weights: tf.Tensor) -> tf.Tensor:
        """The nearest weights in the box."""
        return tf.clip_by_value(weights, -self.limit, self.limit)

    def get_config(self) -> dict[str, float]:
        """Its argument."""
        return {"limit": self.limit}
