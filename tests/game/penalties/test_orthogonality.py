"""Orthogonal regularization against NumPy and finite differences."""

import keras
import numpy as np
import tensorflow as tf

from logan_tf.game.game import Game
from logan_tf.game.penalties import orthogonality
from logan_tf.game.penalties.orthogonality import Orthogonality
from logan_tf.game.weights import GENERATOR, PLAYERS

BETA = 0.3


def by_hand(matrix):
    """Over pairs of different filters, the square of their product."""
    filters = matrix.T
    return sum(
        float(filters[i] @ filters[j]) ** 2
        for i in range(len(filters))
        for j in range(len(filters))
        if i != j
    )


def test_equals_numpy():
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=shape) for shape in ((5, 3), (2, 4), (6, 1))]
    found = orthogonality.off_diagonal([tf.constant(kernel) for kernel in kernels])
    np.testing.assert_allclose(found, sum(map(by_hand, kernels)), rtol=1e-12)
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 4)))
    assert abs(orthogonality.off_diagonal([tf.constant(7 * rotation)])) < 1e-20
    assert orthogonality.off_diagonal([]) == 0


def test_a_filter_is_what_makes_one_output(small_sngan):
    """Transposed convolutions keep their outputs before their inputs."""
    (generator, _), _ = small_sngan
    kernels = [
        layer.kernel.numpy()
        for layer in generator._flatten_layers()
        if hasattr(layer, "kernel")
    ]
    assert [kernel.ndim for kernel in kernels] == [2, 4, 4, 4]
    expected = by_hand(kernels[0]) + by_hand(kernels[3].reshape(-1, 1))
    for kernel in kernels[1:3]:
        filters = [kernel[:, :, output].ravel() for output in range(kernel.shape[2])]
        expected += by_hand(np.stack(filters, 1))
    found = orthogonality.off_diagonal(orthogonality.matrices(generator))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_embeddings_are_left_out():
    network = keras.Sequential([keras.layers.Embedding(5, 3), keras.layers.Dense(2)])
    network(tf.zeros([1], tf.int32))
    assert [matrix.shape for matrix in orthogonality.matrices(network)] == [(3, 2)]


def test_the_generator_alone_pays(smooth, settings, central_difference, evaluate):
    pair, round_ = smooth
    free, game = settings().game(pair), settings().game(pair)
    game.penalties = (Orthogonality(BETA),)
    without, outcome = evaluate(free, round_), evaluate(game, round_)
    kernels = [pair[0].project.kernel, pair[0].points.kernel]
    expected = BETA * sum(by_hand(kernel.numpy()) for kernel in kernels)
    np.testing.assert_allclose(outcome.metrics["orthogonality_penalty"], expected)
    assert "orthogonality_penalty" not in without.metrics
    rng = np.random.default_rng(1)
    for player in PLAYERS:
        for variable, a, b in zip(
            game.variables(player),
            outcome.gradients[player],
            without.gradients[player],
            strict=True,
        ):
            along = rng.normal(size=variable.shape)
            slope = central_difference(
                lambda: BETA * sum(by_hand(kernel.numpy()) for kernel in kernels),
                [variable],
                [along],
            )
            np.testing.assert_allclose(
                np.sum((a - b) * along), slope, rtol=1e-6, atol=1e-9
            )
            assert (abs(slope) > 1e-3) == any(variable is each for each in kernels)
    norm = tf.linalg.global_norm(outcome.gradients[GENERATOR])
    np.testing.assert_allclose(outcome.metrics["generator_gradient_norm"], norm)


def test_the_discriminators_update_does_not_compute_it(smooth):
    pair, round_ = smooth
    game = Game(*pair, penalties=[Orthogonality(BETA)])
    assert "orthogonality_penalty" not in game.play(round_, PLAYERS[:1]).metrics
