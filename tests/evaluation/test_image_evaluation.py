import math

import numpy as np
import pytest

from logan_tf.evaluation import image_evaluation
from logan_tf.metrics.classifiers import Outputs


def test_confidence_is_counted_per_sample():
    labels = np.array([0, 0, 1, 2, 2, 2])
    confidences = np.array([0.95, 0.2, 0.89, 0.1, 0.9, 0.99])
    found = image_evaluation.count_modes(labels, confidences, 4)
    assert found["modes"]["value"] == 3
    assert found["confident_modes"]["value"] == 2
    assert found["confident_share"]["value"] == pytest.approx(0.5)
    expected = sum(p * math.log(4 * p) for p in (2 / 6, 1 / 6, 3 / 6))
    assert found["reverse_kl"]["value"] == pytest.approx(expected)


def test_no_confident_sample_is_no_error():
    found = image_evaluation.count_modes(np.array([0, 1]), np.array([0.1, 0.1]), 10)
    assert found["confident_modes"]["value"] == 0


class Plain:
    """Reads off the first pixels."""

    def outputs(self, images):
        values = images.reshape(len(images), -1)[:, :3].astype(np.float32)
        return Outputs(values[:, :2], values, values[:, 0])


def _parts(sizes):
    images = np.random.default_rng(0).integers(0, 256, (sum(sizes), 2, 2, 1), np.uint8)
    labels = np.arange(len(images), dtype=np.int32)
    ends = np.cumsum(sizes)
    return [(images[e - n : e], labels[e - n : e]) for n, e in zip(sizes, ends)]  # noqa: B905


@pytest.mark.parametrize("kept", [2, 10, 35, 100])
def test_moments_are_of_all_and_features_of_the_first(kept):
    parts = _parts([10, 10, 15])
    found = image_evaluation.read(parts, Plain(), kept)
    images = np.concatenate([part for part, _ in parts])
    expected = Plain().outputs(images)
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_array_equal(found.confidences, expected.confidences)
    np.testing.assert_array_equal(found.statistics.features, expected.features[:kept])
    np.testing.assert_array_equal(found.statistics.labels, np.arange(min(kept, 35)))
    np.testing.assert_allclose(
        found.statistics.moments.covariance, np.cov(expected.features, rowvar=False)
    )


@pytest.mark.parametrize(
    ("num", "sizes"),
    [(None, [10, 10]), (5, [5]), (10, [10]), (12, [10, 2]), (99, [10, 10])],
)
def test_first(num, sizes):
    found = list(image_evaluation.first(num, _parts([10, 10])))
    assert [len(images) for images, _ in found] == sizes
    assert [len(labels) for _, labels in found] == sizes
