"""How a recipe's samples are judged: `Evaluator.protocol` names a class like this."""

from typing import Any
from typing import Protocol as Interface

from logan_tf.evaluation import image_evaluation
from logan_tf.evaluation.neighbors import Neighbors
from logan_tf.evaluation.receipts import MetricValues
from logan_tf.sampling.sampler import Sampler, Samples
from logan_tf.sampling.settings import SamplingSettings


class Protocol(Interface):
    """How a sampler is judged.

    Attributes:
      name: of the procedure and its version, for the receipt.
      num_samples: how many samples it takes where nobody says.
      plotted: the metrics that are worth a curve. The first is the criterion of
        checkpoints, the lower the better; it is plotted against the second.
      has_quick_control: whether real examples are judged in seconds.
    """

    name: str
    num_samples: int
    plotted: tuple[str, ...]
    has_quick_control: bool

    def prepare(self) -> None:
        """Gets classifier and reference: what can go wrong goes wrong before sampling.

        Raises:
          ConfigurationError, BadDataError: they cannot be had.
        """

    def measured_with(self) -> dict[str, Any]:
        """The fields of a receipt that say what the samples are measured with."""

    def evaluate(
        self, sampler: Sampler, num_samples: int, settings: SamplingSettings
    ) -> MetricValues:
        """Judges samples of the settings, whose standing statistics are in place."""

    def held_out(self, *, num_samples: int, seed: int) -> tuple[int, MetricValues]:
        """Judges real examples that were not trained on, as samples are judged.

        Returns:
          How many were judged, at most `num_samples`, and the metrics.

        Raises:
          ConfigurationError: there are none.
        """

    def pictures(
        self, parts: image_evaluation.Parts, *, num_samples: int | None, seed: int
    ) -> tuple[int, MetricValues]:
        """Judges pictures by anybody, of the data's shape, as samples are judged.

        Returns:
          How many were judged, at most `num_samples` (None: all), and the metrics.

        Raises:
          ConfigurationError: there are too few, or points are judged here.
        """

    def doubts(self, num_judged: int, held_out: MetricValues) -> str | None:
        """What is wrong with these numbers of real examples; None: nothing known."""

    def neighbors(self, samples: Samples, nearest: int) -> Neighbors:
        """The `nearest` real images of each sample.

        Raises:
          ConfigurationError: there are none to look among.
        """
