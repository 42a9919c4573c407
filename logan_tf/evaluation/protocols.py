"""What is measured on which data: a recipe names its protocol.

A protocol judges a sampler and, by the same procedure, real held-out data: the number
that a perfect generator would get.
"""

from typing import Any
from typing import Protocol as Interface

from logan_tf.data.digits import Digits
from logan_tf.data.points import Grid, Ring
from logan_tf.data.stacked_digits import StackedDigits
from logan_tf.evaluation import mode_evaluation
from logan_tf.evaluation.digit_classifier import DigitClassifier, load_or_train
from logan_tf.evaluation.receipts import Metrics
from logan_tf.evaluation.sampling import Sampler


class Protocol(Interface):
    """How a sampler is judged.

    Attributes:
      name: of the procedure and its version, for the receipt.
      num_samples: how many samples it takes where nobody says.
    """

    name: str
    num_samples: int

    def classifier(self) -> DigitClassifier | None:
        """What reads the samples, trained or from its cache; None where nothing
        does.
        """

    def evaluate(self, sampler: Sampler, **settings: Any) -> Metrics:
        """Judges samples; settings: num_samples, seed, latent_steps, truncation."""

    def held_out(self, *, num_samples: int, seed: int) -> Metrics | None:
        """Judges real held-out examples, None where there are none."""


class _DigitModes:
    """Modes among digits, read by the embedded classifier."""

    channels: int

    def __init__(self, digits: Digits) -> None:
        self._digits = digits
        self._classifier: DigitClassifier | None = None

    def classifier(self) -> DigitClassifier:
        if self._classifier is None:
            self._classifier = load_or_train(self._digits)
        return self._classifier

    def held_out(self, *, num_samples: int, seed: int) -> Metrics:
        return mode_evaluation.held_out_reference(
            self.classifier(),
            self._digits,
            channels=self.channels,
            num_samples=num_samples,
            seed=seed,
        )


class StackedDigitsModes(_DigitModes):
    """Modes of 1,000 among 26,000 samples (Metz et al. 2016).

    Args:
      dataset: what the generator was trained on.
    """

    name = mode_evaluation.STACKED_DIGITS_PROTOCOL
    num_samples = 26_000
    channels = 3

    def __init__(self, dataset: StackedDigits) -> None:
        super().__init__(dataset.digits)

    def evaluate(self, sampler: Sampler, **settings: Any) -> Metrics:
        return mode_evaluation.evaluate_stacked_digits(
            sampler, self.classifier(), **settings
        )


class DigitsModes(_DigitModes):
    """Modes of ten among 10,000 samples.

    Args:
      dataset: what the generator was trained on.
    """

    name = mode_evaluation.DIGITS_PROTOCOL
    num_samples = 10_000
    channels = 1

    def __init__(self, dataset: Digits) -> None:
        super().__init__(dataset)

    def evaluate(self, sampler: Sampler, **settings: Any) -> Metrics:
        return mode_evaluation.evaluate_digits(sampler, self.classifier(), **settings)


class PointsModes:
    """Modes and high-quality share among 2,500 points (Srivastava et al. 2017).

    Args:
      dataset: what the generator was trained on.
    """

    name = mode_evaluation.POINTS_PROTOCOL
    num_samples = 2_500

    def __init__(self, dataset: Ring | Grid) -> None:
        self._mixture = dataset

    def classifier(self) -> None:
        return None

    def evaluate(self, sampler: Sampler, **settings: Any) -> Metrics:
        return mode_evaluation.evaluate_points(sampler, self._mixture, **settings)

    def held_out(self, *, num_samples: int, seed: int) -> None:
        return None
