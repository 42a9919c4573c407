"""The real digits and the classifier of 16 x 16, once for all tests of a process."""

from pathlib import Path

import numpy as np
import pytest

from logan_tf.data.digits import Digits
from logan_tf.evaluation import digit_classifier
from logan_tf.evaluation.sampling import Samples


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def digits(data_dir) -> Digits:
    return Digits(16, data_dir)


@pytest.fixture(scope="session")
def classifier(digits, tmp_path_factory) -> digit_classifier.DigitClassifier:
    cache = tmp_path_factory.mktemp("cache")
    return digit_classifier.load_or_train(digits, cache_dir=cache)


class PlayedSampler:
    """A sampler that deals out given images in small batches."""

    conditional = False

    def __init__(self, images: np.ndarray, labels: np.ndarray | None = None) -> None:
        self.images = images
        self.labels = np.zeros(len(images), np.int32) if labels is None else labels
        self.asked: list[dict] = []

    def sample(self, num, **settings):
        self.asked.append(settings)
        return Samples(self.images[:num], np.zeros((num, 1)), self.labels[:num])

    def batches(self, num, **settings):
        self.asked.append(settings)
        for first in range(0, num, 100):
            part = slice(first, min(first + 100, num))
            images = self.images[part]
            yield Samples(images, images[:, 0, 0], self.labels[part])


@pytest.fixture
def played_sampler() -> type[PlayedSampler]:
    return PlayedSampler


def _stand_in(path: Path, width: int, num_classes: int) -> Path:
    """A SavedModel of Inception's signature that is a mean of pixels and a projection.

    pool_3 is a fixed random projection of the 4x4 means, logits another one of these.
    """
    import tensorflow as tf

    generator = np.random.default_rng(0)
    first = generator.normal(size=(48, width)).astype(np.float32)
    second = generator.normal(size=(width, num_classes)).astype(np.float32) / 100

    class StandIn(tf.Module):
        def __init__(self):
            self.first, self.second = tf.Variable(first), tf.Variable(second)

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
        def __call__(self, images):
            small = tf.image.resize(images, [4, 4], "area")
            features = tf.reshape(small, [-1, 48]) @ self.first
            return {"logits": features @ self.second, "pool_3": features}

    model = StandIn()
    tf.saved_model.save(model, str(path), signatures=model.__call__)
    np.savez(path.parent / f"{path.name}.npz", first=first, second=second)
    return path


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory) -> Path:
    """Of Inception's shapes."""
    return _stand_in(tmp_path_factory.mktemp("stand-in"), 2048, 1008)


@pytest.fixture(scope="session")
def narrow_stand_in(tmp_path_factory) -> Path:
    """Whose Fréchet distance takes milliseconds instead of ten seconds."""
    return _stand_in(tmp_path_factory.mktemp("narrow"), 100, 50)
