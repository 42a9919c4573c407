"""The real images nearest to samples: does the generator repeat what it was shown?"""

import json
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

from logan_tf.errors import ConfigurationError
from logan_tf.evaluation.receipts import Evaluation, Receipt
from logan_tf.evaluation.reference import RealImages
from logan_tf.metrics.classifiers import Classifier


class Neighbors(NamedTuple):
    """Samples and what of the training images lies nearest, the nearest first."""

    samples: np.ndarray
    """uint8 [n, h, w, c]."""
    images: np.ndarray
    """uint8 [n, k, h, w, c]."""
    indices: np.ndarray
    """integers [n, k], places in the training split in its own order."""
    distances: np.ndarray
    """float [n, k], Euclidean, between the classifier's features."""
    searched: int
    """Among so many training images, the first ones."""

    def text(self, receipt: Receipt) -> str:
        """An evaluation's JSON, and in it `neighbors`: of each sample, where they are
        and how far.
        """
        nearest = float(self.distances[:, 0].mean())
        metrics = {"nearest_distance": {"value": nearest, "searched": self.searched}}
        pairs = zip(self.indices.tolist(), self.distances.tolist(), strict=True)
        rows = [{"indices": places, "distances": far} for places, far in pairs]
        contents = Evaluation(receipt, metrics).contents() | {"neighbors": rows}
        return json.dumps(contents, indent=2, allow_nan=False) + "\n"


def find(
    samples: np.ndarray,
    classifier: Classifier,
    features: np.ndarray,
    images: RealImages,
    nearest: int,
) -> Neighbors:
    """Finds the nearest training images of samples.

    Args:
      samples: uint8 [n, h, w, c].
      classifier: reads them.
      features: float [m, d], of the first m training images, by the same one.
      images: the data set.
      nearest: k, 1 to m.

    Raises:
      ConfigurationError: k out of its range.
    """
    if not 1 <= nearest <= len(features):
        raise ConfigurationError(
            f"{nearest} nearest neighbors among {len(features)} training images: ask "
            "for 1 or more, and not for more than there are"
        )
    index = NearestNeighbors(n_neighbors=nearest, algorithm="brute").fit(features)
    distances, indices = index.kneighbors(classifier.outputs(samples).features)
    found = _pictures(images, indices)
    return Neighbors(samples, found, indices, distances, len(features))


def _pictures(images: RealImages, indices: np.ndarray) -> np.ndarray:
    """The training images at places [n, k], of which a few lie in memory at once."""
    wanted, where = np.unique(indices, return_inverse=True)
    found = np.concatenate(list(_at(images, wanted)))
    return found[where.reshape(indices.shape)]


def _at(images: RealImages, wanted: np.ndarray) -> Iterator[np.ndarray]:
    first = 0
    for part, _ in images.ordered("train"):
        here = wanted[(wanted >= first) & (wanted < first + len(part))]
        yield part[here - first]
        first += len(part)
        if first > wanted[-1]:
            return
