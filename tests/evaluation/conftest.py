"""A sampler of known images."""

import numpy as np
import pytest

from logan_tf.sampling.sampler import Samples
from logan_tf.sampling.settings import SamplingSettings


class PlayedSampler:
    """A sampler that deals out given images in small batches."""

    conditional = False

    def __init__(self, images: np.ndarray, labels: np.ndarray | None = None) -> None:
        self.images = images
        self.labels = np.zeros(len(images), np.int32) if labels is None else labels
        self.asked: list[SamplingSettings] = []

    def sample(self, num, settings):
        self.asked.append(settings)
        return Samples(self.images[:num], np.zeros((num, 1)), self.labels[:num])

    def batches(self, num, settings):
        self.asked.append(settings)
        for first in range(0, num, 100):
            part = slice(first, min(first + 100, num))
            images = self.images[part]
            yield Samples(images, images[:, 0, 0], self.labels[part])


@pytest.fixture
def played_sampler() -> type[PlayedSampler]:
    return PlayedSampler
