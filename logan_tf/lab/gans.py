"""The smallest GANs, and rock–paper–scissors: games of a few numbers as `toys`.

Their Jacobians at the equilibrium have closed forms, which the functions give. "K" is
the block of a zero-sum game that couples the two: J = [[…, K], [−K', …]] over (D, G).
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.lab.toys import Toy

At = Mapping[str, tf.Tensor]
_WINS = ((0.0, 1.0, -1.0), (-1.0, 0.0, 1.0), (1.0, -1.0, 0.0))


def rock_paper_scissors() -> Toy:
    """Each plays softmax(w) of three, G to win what D loses.

    The equilibrium is w = 0 up to a constant; there λ = ±i √3/9, twice, and 0 twice:
    descent goes round it.
    """

    def won(at: At) -> tf.Tensor:
        first, second = (tf.nn.softmax(at[p]) for p in (GENERATOR, DISCRIMINATOR))
        wins = tf.constant(_WINS, tf.float64)
        return tf.reduce_sum(first * tf.linalg.matvec(wins, second))

    return Toy(
        {DISCRIMINATOR: won, GENERATOR: lambda at: -won(at)},
        {DISCRIMINATOR: [0.0, 0.3, 0.0], GENERATOR: [0.5, 0.0, 0.0]},
    )


def neuron(point: Sequence[float] = (1.0, 1.0)) -> Toy:
    """One neuron D(x) = w'x + b against a generator of one point; the data is another.

    Minimax cross-entropy. At the equilibrium, G at the point and D at 0, D's block of J
    is ½ uu' with u = (point, 1), and K = ½ (I, 0).

    Args:
      point: of the data, [dim].
    """

    def cross_entropy(at: At) -> tf.Tensor:
        critic = at[DISCRIMINATOR]
        real, fake = (
            tf.reduce_sum(critic[:-1] * x) + critic[-1]
            for x in (tf.constant(point, tf.float64), at[GENERATOR])
        )
        return tf.math.softplus(-real) + tf.math.softplus(fake)

    return Toy(
        {DISCRIMINATOR: cross_entropy, GENERATOR: lambda at: -cross_entropy(at)},
        {DISCRIMINATOR: [0.0] * (len(point) + 1), GENERATOR: [0.0] * len(point)},
    )


def normal(mean: float = 1.0, deviation: float = 1.0) -> Toy:
    """A Wasserstein GAN of N(m, s²): D(x) = ax² + bx, G(z) = μ + σz, z ~ N(0, 1).

    f = a (m² + s² − μ² − σ²) + b (m − μ), the expectation itself. At the equilibrium
    J has K = [[2m, 2s], [1, 0]] and nothing else: λ are ±i times K's singular values.

    Args:
      mean: m of the data.
      deviation: s > 0.
    """

    def value(at: At) -> tf.Tensor:
        square, slope = tf.unstack(at[DISCRIMINATOR])
        mu, sigma = tf.unstack(at[GENERATOR])
        moments = mean**2 + deviation**2 - mu**2 - sigma**2
        return square * moments + slope * (mean - mu)

    return Toy(
        {DISCRIMINATOR: lambda at: -value(at), GENERATOR: value},
        {DISCRIMINATOR: [0.0, 0.0], GENERATOR: [0.0, 0.5]},
    )
