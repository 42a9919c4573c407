"""Classification accuracy score, CAS (Ravuri and Vinyals 2019).

Each training image is replaced by a sample of its class; a classifier that has seen
the samples alone is tested on real held-out images. What the generator leaves out of a
class the classifier cannot know, which FID hardly notices.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from logan_tf import progress
from logan_tf.accuracy.classifier_training import ClassifierTraining, TrainingSet
from logan_tf.accuracy.picture_file import PictureFile
from logan_tf.errors import ConfigurationError
from logan_tf.evaluation.receipts import ACCURACY_SCORE, MetricValues, fingerprint
from logan_tf.evaluation.reference import RealImages
from logan_tf.sampling.sampler import Sampler, to_uint8
from logan_tf.sampling.settings import SamplingSettings

PROTOCOL = f"{ACCURACY_SCORE}1"
_TOP = 5
_AT_ONCE = 256  # samples that a sampler draws


class Measured(NamedTuple):
    """What a classifier found."""

    metrics: MetricValues
    classifier_weights: str
    """Hash of what it learned."""


class AccuracyScore:
    """Accuracy on real held-out images of a classifier that learned from samples.

    Args:
      dataset: what the generator was trained on; its split 'test' is the judge.
      training: how the classifier is trained.
    """

    def __init__(self, dataset: RealImages, training: ClassifierTraining) -> None:
        self._dataset = dataset
        self._training = training
        self._labels: np.ndarray | None = None

    def prepare(self, generator: keras.Model) -> None:
        """Finds out what cannot be measured, and the labels of the training images.

        Args:
          generator: the one to be judged.

        Raises:
          ConfigurationError: a generator that looks at no labels; data that are no
            pictures, have fewer than two classes or no labeled test split; an
            architecture that does not fit them.
          BadDataError: the data cannot be read.
        """
        if not hasattr(self._dataset, "ordered"):
            raise ConfigurationError(
                "the accuracy score is of pictures, and this run's data are none"
            )
        if not getattr(generator, "conditional", False):
            raise ConfigurationError(
                "this run's generator draws no class that is asked for, so its samples "
                "have no labels to learn: the accuracy score needs a conditional one"
            )
        if self._num_classes < 2:
            raise ConfigurationError(
                f"the data set has {self._num_classes} classes: a classifier needs 2 "
                "at least"
            )
        self._training.build(self._dataset.shape, self._num_classes)
        _, labels = next(iter(self._dataset.ordered("test")))
        self._require_labels(labels, "test")
        self._labels = self._read_labels()

    @property
    def num_images(self) -> int:
        """How many images the classifier learns from: as many as are real."""
        return len(self._training_labels)

    def measured_with(self) -> dict[str, Any]:
        """The fields of a receipt that say what is measured, and with what."""
        return {
            "protocol": f"{PROTOCOL} {self._training.describe(self._dataset.shape)}",
            "num_samples": self.num_images,
            "reference": self._dataset.identity,
        }

    def of_samples(
        self, sampler: Sampler, settings: SamplingSettings, folder: Path
    ) -> Measured:
        """Trains on samples, one for each real training image, of its class.

        Args:
          sampler: holding the standing statistics of the settings.
          settings: of the samples.
          folder: of this measurement alone, from which it resumes.

        Raises:
          DivergedError: NaN or Inf in samples, or in the classifier's training.
          BadDataError: there is no room on the disk.
        """
        labels = self._training_labels

        def parts(first: int) -> Iterator[np.ndarray]:
            missing = len(labels) - first
            batches = sampler.batches(
                missing, settings, first=first, labels=labels[first:]
            )
            return (to_uint8(samples.images) for samples in batches)

        return self._measure(parts, folder, "samples")

    def of_real_images(self, folder: Path) -> Measured:
        """The control: trains on the real training images; see `of_samples`."""

        def parts(first: int) -> Iterator[np.ndarray]:
            passed = 0
            for images, _ in self._dataset.ordered("train"):
                if passed + len(images) > first:
                    yield images[max(first - passed, 0) :]
                passed += len(images)

        return self._measure(parts, folder, "real images")

    def _measure(
        self, parts: Callable[[int], Iterator[np.ndarray]], folder: Path, name: str
    ) -> Measured:
        """Trains on pictures and tests; parts: those from a number on, in order."""
        images = PictureFile(folder / "pictures.uint8", self._dataset.shape)
        images.require_room(self.num_images)
        if len(images) < self.num_images:
            # Samples are the same bits where the drawing goes on between two batches.
            first = len(images) // _AT_ONCE * _AT_ONCE
            with progress.bar(
                total=self.num_images, initial=first, unit=" images", desc=name
            ) as bar:
                images.extend(first, parts(first), bar.update)
        examples = TrainingSet(
            self._training_labels, images.mapped(), self._num_classes
        )
        model = self._training.train(examples, folder / "classifier", name)
        ranks, labels = self._test(model)
        return Measured(
            accuracies(ranks, labels, self._num_classes),
            fingerprint(model.get_weights()),
        )

    def _test(self, model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
        """The rank of each test image's class, and the class."""
        classes: list[np.ndarray] = []

        def pictures() -> Iterator[np.ndarray]:
            for images, labels in self._dataset.ordered("test"):
                self._require_labels(labels, "test")
                classes.append(labels)
                yield images

        found = [
            rank(logits, classes[-1])
            for logits in self._training.logits(model, pictures())
        ]
        return np.concatenate(found), np.concatenate(classes)

    @property
    def _num_classes(self) -> int:
        return getattr(self._dataset, "num_classes", 0)

    @property
    def _training_labels(self) -> np.ndarray:
        assert self._labels is not None  # as prepare has made sure
        return self._labels

    def _read_labels(self) -> np.ndarray:
        with progress.bar(unit=" images", desc="training labels") as bar:
            found = []
            for _, labels in self._dataset.ordered("train"):
                self._require_labels(labels, "training")
                found.append(np.asarray(labels, np.int32))
                bar.update(len(labels))
        return np.concatenate(found)

    def _require_labels(self, labels: np.ndarray, split: str) -> None:
        if labels.min() < 0 or labels.max() >= self._num_classes:
            raise ConfigurationError(
                f"the {split} images have labels from {labels.min()} to "
                f"{labels.max()}, and there are {self._num_classes} classes: name a "
                "labeled split of the data set (ImageNet's is 'validation')"
            )


def rank(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes come before the right one; of equal logits the lower class does.

    Args:
      logits: floats [n, classes].
      labels: integers [n].

    Returns:
      Integers [n]; 0 is a right answer, below k a right one among the first k.
    """
    order = np.argsort(-logits, axis=1, kind="stable")
    return (order == labels[:, None]).argmax(axis=1)


def accuracies(ranks: np.ndarray, labels: np.ndarray, num_classes: int) -> MetricValues:
    """Top-1 and top-5 accuracy, of all images and of each class's.

    Args:
      ranks: as `rank` gives them, [n].
      labels: integers [n].
      num_classes: with five classes or fewer, top-5 would be certain; then it is
        top-(classes - 1).

    Returns:
      `top_1` and, from three classes on, `top_k`: value, `classes` (those that are
      tested) and num_images.
    """
    found: MetricValues = {}
    for k in dict.fromkeys((1, min(_TOP, num_classes - 1))):
        right = ranks < k
        found[f"top_{k}"] = {
            "value": float(right.mean()),
            "classes": {
                str(label): float(right[labels == label].mean())
                for label in np.unique(labels)
            },
            "num_images": len(labels),
        }
    return found
