"""The real images nearest to samples, against a search pair by pair."""

import json

import matplotlib.image
import numpy as np
import pytest

from logan_tf.data.points import Ring
from logan_tf.errors import ConfigurationError
from logan_tf.evaluation import neighbors, point_metrics
from logan_tf.evaluation.receipts import Evaluation, Receipt
from logan_tf.metrics.classifiers import Outputs
from logan_tf.plots import pictures
from logan_tf.sampling.sampler import Samples


class Means:
    """Features of a picture: its channels' means."""

    def outputs(self, images):
        features = images.mean(axis=(1, 2)).astype(np.float32)
        return Outputs(features, features, features[:, 0])


class Split:
    """A training split in parts of seven."""

    def __init__(self, num=30):
        generator = np.random.default_rng(5)
        self.images = generator.integers(0, 256, (num, 4, 4, 3), np.uint8)
        self.parts_read = 0

    def ordered(self, split):
        assert split == "train"
        for first in range(0, len(self.images), 7):
            self.parts_read += 1
            part = self.images[first : first + 7]
            yield part, np.zeros(len(part), np.int32)


def find(samples, images, searched, nearest):
    features = Means().outputs(images.images[:searched]).features
    return neighbors.find(samples, Means(), features, images, nearest)


def test_the_nearest_first():
    images = Split()
    samples = np.random.default_rng(6).integers(0, 256, (5, 4, 4, 3), np.uint8)
    found = find(samples, images, 20, 3)
    assert found.searched == 20
    assert images.parts_read == 3  # and not the other two
    for row, sample in enumerate(samples):
        distances = [
            np.linalg.norm(sample.mean((0, 1)) - real.mean((0, 1)))
            for real in images.images[:20]
        ]
        order = np.argsort(distances)[:3]
        assert found.indices[row].tolist() == order.tolist()
        np.testing.assert_allclose(
            found.distances[row], np.sort(distances)[:3], rtol=1e-4
        )
        np.testing.assert_array_equal(found.images[row], images.images[order])


def test_a_repeated_training_image_is_found_at_no_distance():
    images = Split()
    found = find(images.images[[19, 2, 19]], images, 30, 1)
    assert found.indices.tolist() == [[19], [2], [19]]
    assert found.distances.max() < 1e-2  # of 255: float32 squares
    np.testing.assert_array_equal(found.images[:, 0], images.images[[19, 2, 19]])


def test_the_file_is_an_evaluation_too():
    images = Split()
    found = find(images.images[:4] // 2, images, 30, 2)
    contents = json.loads(found.text(Receipt("images/1", 4, 0)))
    evaluation = Evaluation.of(contents)
    metric = evaluation.metrics["nearest_distance"]
    assert metric["searched"] == 30
    assert metric["value"] == pytest.approx(found.distances[:, 0].mean())
    assert [row["indices"] for row in contents["neighbors"]] == found.indices.tolist()


@pytest.mark.parametrize("nearest", [0, 31])
def test_more_than_there_are(nearest):
    with pytest.raises(ConfigurationError, match=f"{nearest} nearest .* among 30"):
        find(Split().images[:1], Split(), 30, nearest)


def test_points_have_no_pictures():
    samples = Samples(np.zeros((2, 2)), np.zeros((2, 4)), np.zeros(2))
    with pytest.raises(ConfigurationError, match="bin/sample draws them"):
        point_metrics.PointsModes(Ring()).neighbors(samples, 3)


@pytest.mark.parametrize(("num", "nearest"), [(3, 4), (1, 1)])
def test_the_picture(num, nearest, tmp_path):
    generator = np.random.default_rng(0)
    real = generator.integers(0, 256, (num, nearest, 8, 8, 1), np.uint8)
    path = tmp_path / "neighbors.png"
    pictures.save_neighbors(path, real[:, 0], real, 5000, "a title")
    drawn = matplotlib.image.imread(path)
    assert drawn.ndim == 3
    assert drawn[..., :3].min() < 0.1
