"""Statistics of real images: computed once, kept in a cache, or read from a file."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from absl import logging
from tqdm import tqdm

from logan_tf import installation, progress
from logan_tf.errors import ConfigurationError
from logan_tf.evaluation import image_evaluation, statistics_files
from logan_tf.evaluation.statistics_files import FeatureStatistics
from logan_tf.metrics.classifiers import Classifier


class RealImages(Protocol):
    """What is needed of `logan_tf.data`'s image data sets."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def identity(self) -> str:
        """Says which pictures these are."""

    def ordered(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(images uint8, labels int32) of 'train' or 'test', part by part."""


class Reference(NamedTuple):
    """Statistics, and what they are of."""

    statistics: FeatureStatistics
    identity: str
    """The same wherever the same is measured, however it rounds there."""


def from_file(
    path: str | os.PathLike[str], classifier: Classifier, dim: int
) -> Reference:
    """The statistics of a file, by anybody.

    Raises:
      ConfigurationError: see `statistics_files.read`.
    """
    name = classifier.fields()["classifier"]
    statistics = statistics_files.read(path, dim, classifier=name)
    return Reference(statistics, f"file {statistics.hash()}")


def from_images(
    images: RealImages,
    classifier: Classifier,
    *,
    num: int | None,
    kept: int,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Reference:
    """The statistics of the training split, from the cache or computed into it.

    Args:
      images: the data set.
      classifier: reads them.
      num: only the first so many; None: all.
      kept: how many images' features to keep.
      cache_dir: None: see `installation.cache_dir`. A cache that cannot
        be written costs a warning only.

    Raises:
      ConfigurationError, BadDataError: the data or the classifier cannot be used.
    """
    fields = classifier.fields()
    weights = str(fields.get("classifier_weights", ""))
    notes = {
        "classifier": fields["classifier"],
        "images": f"{images.identity}, first {num or 'all'}",
    }
    identity = _hash(*notes.values())
    name = f"statistics_{_hash(identity, weights, str(kept))}.npz"
    path = Path(cache_dir or installation.cache_dir()) / name
    if path.is_file():
        try:
            return Reference(statistics_files.read(path, **notes), identity)
        except ConfigurationError as error:
            logging.warning("%s: they are computed again", error)
    parts = image_evaluation.first(num, images.ordered("train"))
    print("reading the real images for their statistics, once", flush=True)
    with progress.bar(unit=" images", desc="reference statistics") as bar:
        statistics = image_evaluation.read(
            _counted(parts, bar), classifier, kept
        ).statistics
    try:
        statistics_files.write(path, statistics, **notes)
    except OSError as error:
        logging.warning(
            "the reference statistics are not cached (%s): set $LOGAN_TF_CACHE to a "
            "directory that can be written",
            error,
        )
    return Reference(statistics, identity)


def _counted(
    parts: image_evaluation.Parts, bar: tqdm
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for images, labels in parts:
        yield images, labels
        bar.update(len(images))


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
