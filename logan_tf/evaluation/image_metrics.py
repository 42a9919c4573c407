"""What pictures are judged by: FID and its like, and the modes of digits."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from tqdm import tqdm

from logan_tf import progress, quantities
from logan_tf.data.digits import Digits
from logan_tf.data.stacked_digits import StackedDigits
from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.evaluation import image_evaluation, neighbors, reference
from logan_tf.evaluation.image_evaluation import Measures, Readings
from logan_tf.evaluation.neighbors import Neighbors
from logan_tf.evaluation.receipts import MetricValues
from logan_tf.evaluation.reference import RealImages, Reference
from logan_tf.metrics.classifiers import Classifier
from logan_tf.metrics.digit_reader import DigitReader
from logan_tf.sampling.sampler import Sampler, Samples, to_uint8
from logan_tf.sampling.settings import SamplingSettings

_LEAST_SCORES = {
    "cifar10": (9.0, "11.24 is published (Salimans et al. 2016, Table 3)"),
    "imagenet2012": (148.0, "LOGAN's samples have 148.2"),
}
"""Of real images, by the data set: the least score that can be right, and why."""
_ENOUGH = 10_000  # images, for an inception score that is not low for their number


class ImageMetrics:
    """FID, IS, KID, precision, recall, density and coverage of pictures.

    Args:
      dataset: what the generator was trained on.
      classifier: `Inception`, or a `SavedModelClassifier`.
      num_samples: how many samples to judge where nobody says.
      num_reference: compare with the first so many training images; None: all.
      statistics: an .npz with mu and sigma to compare with instead; what needs the
        features of real images is left out.
      kept: of so many images, features are kept for KID and the neighbors.
      nearest: k of precision, recall, density and coverage.
      per_class: whether to measure an FID for each class.
      num_modes: count the classifier's classes, so many, as modes; 0: do not.

    Raises:
      ConfigurationError: a number out of its range.
    """

    has_quick_control = False

    def __init__(
        self,
        dataset: RealImages,
        classifier: Classifier,
        num_samples: int = 10_000,
        num_reference: int | None = None,
        statistics: str | None = None,
        kept: int = 10_000,
        nearest: int = 5,
        per_class: bool = False,
        num_modes: int = 0,
    ) -> None:
        require_at_least(
            2, num_samples=num_samples, kept=kept, num_reference=num_reference
        )
        require_at_least(1, nearest=nearest)
        self.num_samples = num_samples
        self.plotted = tuple(f"{name}{classifier.suffix}" for name in ("fid", "is"))
        if num_modes:
            self.plotted += ("modes", "reverse_kl")
        self._dataset = dataset
        self._classifier = classifier
        self._num_reference = num_reference
        self._statistics = statistics
        self._measures = Measures(
            kept, nearest, per_class=per_class, num_modes=num_modes
        )
        self._reference: Reference | None = None

    @property
    def name(self) -> str:
        """With all that changes a number and is no other field of the receipt."""
        kind = "images_and_modes/1" if self._measures.num_modes else "images/1"
        return f"{kind} kept={self._measures.kept} k={self._measures.nearest}"

    def prepare(self) -> None:
        if self._reference is not None:
            return
        if self._statistics is None:
            self._reference = reference.from_images(
                self._dataset,
                self._classifier,
                num=self._num_reference,
                kept=self._measures.kept,
            )
        else:
            blank: np.ndarray = np.zeros((1, *self._dataset.shape), np.uint8)
            dim = self._classifier.outputs(blank).features.shape[1]
            self._reference = reference.from_file(
                self._statistics, self._classifier, dim
            )

    def measured_with(self) -> dict[str, Any]:
        found = self._prepared()
        return self._classifier.fields() | {
            "reference": found.identity,
            "reference_hash": found.statistics.hash(),
        }

    def evaluate(
        self, sampler: Sampler, num_samples: int, settings: SamplingSettings
    ) -> MetricValues:
        self._require_enough(num_samples, "samples", "draw more")
        self.prepare()
        batches = sampler.batches(num_samples, settings)
        with _bar(num_samples) as bar:
            readings = self._read(_seen(batches, bar))
        found = self._judge(readings, settings.seed)
        # Where the classifier's classes are counted as modes they are the data's own.
        if sampler.conditional and self._measures.num_modes:
            assert readings.logits is not None  # or no modes would be counted
            found |= image_evaluation.class_agreement(readings.logits, readings.labels)
        return found

    def held_out(self, *, num_samples: int, seed: int) -> tuple[int, MetricValues]:
        held_out = self._dataset.ordered("test")
        return self.pictures(held_out, num_samples=num_samples, seed=seed)

    def pictures(
        self, parts: image_evaluation.Parts, *, num_samples: int | None, seed: int
    ) -> tuple[int, MetricValues]:
        self.prepare()
        with _bar(num_samples) as bar:
            parts = image_evaluation.first(num_samples, parts)
            readings = self._read(_counted(parts, bar))
        num = len(readings.labels)
        self._require_enough(num, "pictures", "give more")
        return num, self._judge(readings, seed)

    def doubts(self, num_judged: int, held_out: MetricValues) -> str | None:
        name = self._dataset.identity.partition("/")[0]
        least, known = _LEAST_SCORES.get(name, (0.0, ""))
        score = held_out.get("is", {}).get("value")  # Inception's alone, by its name
        if score is None or score >= least or num_judged < _ENOUGH:
            return None
        return (
            f"real images of {name} have an inception score of {score:.4g}, and "
            f"{known}: this classifier, or what it is given, is not the literature's"
        )

    def neighbors(self, samples: Samples, nearest: int) -> Neighbors:
        """Among the training images whose features are kept."""
        features = self._prepared().statistics.features
        if features is None:
            raise ConfigurationError(
                f"{self._statistics} holds no features of real images to look among: "
                "leave out ImageMetrics.statistics, and they are computed"
            )
        pixels = to_uint8(samples.images)
        return neighbors.find(
            pixels, self._classifier, features, self._dataset, nearest
        )

    def _require_enough(self, num: int, what: str, remedy: str) -> None:
        if num <= self._measures.nearest:
            raise ConfigurationError(
                f"{num} {what} have no {self._measures.nearest} nearest neighbors, nor "
                f"a covariance worth the name: {remedy}"
            )

    def _read(self, parts: image_evaluation.Parts) -> Readings:
        return image_evaluation.read(parts, self._classifier, self._measures.kept)

    def _judge(self, readings: Readings, seed: int) -> MetricValues:
        statistics = self._prepared().statistics
        found = image_evaluation.judge(readings, statistics, self._measures, seed)
        suffix = self._classifier.suffix
        return {
            name
            if quantities.find(name).group == "modes"
            else f"{name}{suffix}": metric
            for name, metric in found.items()
        }

    def _prepared(self) -> Reference:
        self.prepare()
        assert self._reference is not None  # as prepare has made sure
        return self._reference


class DigitMetrics(ImageMetrics):
    """The same of digits or stacked digits by their own classifier, and modes.

    Modes of 1,000 among 26,000 samples for stacked digits (Srivastava et al. 2017,
    VEEGAN; Metz et al. 2016 draw 25,600), of ten among 10,000 for plain ones. The
    metrics' names end in that of the data set: fid_digits, fid_mnist.

    Args:
      dataset: what the generator was trained on.
      num_samples: how many samples to judge where nobody says; None: as above.
      kept, nearest: as `ImageMetrics`.
    """

    has_quick_control = True

    def __init__(
        self,
        dataset: Digits | StackedDigits,
        kept: int = 5_000,
        nearest: int = 5,
        num_samples: int | None = None,
    ) -> None:
        channels = dataset.shape[-1]
        super().__init__(
            dataset,
            DigitReader(dataset.digits, channels),
            num_samples=num_samples or dataset.num_judged,
            kept=kept,
            nearest=nearest,
            num_modes=10**channels,
        )


def _bar(num_samples: int | None) -> tqdm:
    """Of the samples."""
    return progress.bar(total=num_samples, unit=" samples", desc="judged", leave=False)


def _seen(batches: Iterable[Samples], bar: tqdm) -> image_evaluation.Parts:
    parts = ((to_uint8(samples.images), samples.labels) for samples in batches)
    return _counted(parts, bar)


def _counted(parts: image_evaluation.Parts, bar: tqdm) -> image_evaluation.Parts:
    for images, labels in parts:
        yield images, labels
        bar.update(len(images))
