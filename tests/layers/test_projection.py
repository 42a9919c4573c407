import numpy as np
import tensorflow as tf

from logan_tf.layers.projection import ProjectionScore

_X = np.random.default_rng(0).normal(size=(4, 3, 2, 5))
_LABELS = np.array([2, 0, 2, 6], np.int32)


def _layer(num_classes):
    layer = ProjectionScore(num_classes, dtype="float64")
    layer(_X, _LABELS)
    layer.score.bias.assign([0.3])
    return layer


def test_score_with_projection(divided):
    layer, features = _layer(7), _X.sum((1, 2))
    expected = features @ divided(layer.score)[:, 0] + 0.3
    expected += (divided(layer.embedding)[_LABELS] * features).sum(-1)
    scores = layer(_X, _LABELS)
    assert scores.shape == (4,)
    np.testing.assert_allclose(scores, expected, 1e-9)


def test_score_without_classes(divided):
    layer = _layer(0)
    expected = _X.sum((1, 2)) @ divided(layer.score)[:, 0] + 0.3
    np.testing.assert_allclose(layer(_X), expected, 1e-9)
    assert len(layer.trainable_variables) == 2


def test_derivatives(check_derivatives):
    layer = _layer(7)
    check_derivatives(lambda x: layer(x, _LABELS), _X, layer.trainable_variables)


def test_scores_are_float32_for_bfloat16_features():
    layer = ProjectionScore(7)
    x = tf.constant(_X, tf.bfloat16)
    scores = layer(x, _LABELS)
    assert scores.dtype == tf.float32
    # The sum itself is not rounded to eight bits.
    exact = layer(tf.cast(x, tf.float32), _LABELS)
    np.testing.assert_allclose(scores, exact, 1e-6)
