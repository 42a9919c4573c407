"""Samples, draws and judges the averaged generator of an experiment."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.evaluation import repetition
from logan_tf.evaluation.image_evaluation import Parts, first
from logan_tf.evaluation.neighbors import Neighbors
from logan_tf.evaluation.protocol import Protocol
from logan_tf.evaluation.receipts import MetricValues, Receipt, fingerprint
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.latent_moves import LatentMove
from logan_tf.sampling.sampler import Sampler, Samples
from logan_tf.sampling.saved_assets import Points
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.training.experiment import Experiment

_REAL_POINTS = 2500


class Evaluator:
    """Works on `experiment.averaged_generator` as it stands at each call.

    Args:
      experiment: its weights may change between two calls.
      protocol: makes a `Protocol` from the experiment's dataset; None: the recipe has
        no metrics.
      latent_steps: how often latents step before sampling, where nobody says.
      standing_batches: batches of latents behind the standing statistics, 1 or more.
      latent_move: how latents move before sampling; None: as the game's own do.
      accuracy_score: makes an `AccuracyScore` from the dataset, which is kept here for
        whoever measures it; None: the recipe has none.

    Raises:
      ConfigurationError: for numbers out of these ranges, or latent steps without a
        latent optimizer.
    """

    def __init__(
        self,
        experiment: Experiment,
        protocol: Callable[..., Protocol] | None = None,
        latent_steps: int = 0,
        standing_batches: int = 16,
        accuracy_score: Callable[..., Any] | None = None,
        latent_move: LatentMove | None = None,
    ) -> None:
        require_at_least(1, standing_batches=standing_batches)
        require_at_least(0, evaluation_latent_steps=latent_steps)
        moves = latent_move or experiment.latent_optimizer
        if latent_steps and moves is None:
            raise ConfigurationError(
                f"evaluation_latent_steps is {latent_steps}, but the game has no "
                "latent optimizer: set it to 0, or add "
                "--gin_file=parts/latent_step_ngd.gin"
            )
        self._experiment = experiment
        self.protocol = protocol(experiment.dataset) if protocol else None
        self.latent_steps = latent_steps
        self.standing_batches = standing_batches
        self.accuracy_score = (
            accuracy_score(experiment.dataset) if accuracy_score else None
        )
        self._sampler = Sampler(
            SamplingGraph(
                experiment.averaged_generator,
                experiment.discriminator,
                moves,
                experiment.prior,
                experiment.dataset.num_classes,
            )
        )

    def sample(
        self,
        num: int,
        settings: SamplingSettings,
        *,
        labels: np.ndarray | None = None,
        interpolate: int = 0,
    ) -> Samples:
        """Draws samples with standing statistics made for them.

        Args:
          num: how many, 1 or more.
          settings: of the samples and the standing statistics.
          labels, interpolate: as `Sampler.sample`.

        Returns:
          `Samples` of NumPy arrays.
        """
        self._collect_standing(settings)
        return self._sampler.sample(
            num, settings, labels=labels, interpolate=interpolate
        )

    @property
    def num_classes(self) -> int:
        """How many classes samples can be drawn of; 0 where labels do not matter."""
        dataset = self._experiment.dataset
        return dataset.num_classes if self._sampler.conditional else 0

    def class_names(self) -> list[str]:
        """The data set's names of its classes, their numbers where it has none."""
        dataset = self._experiment.dataset
        names = getattr(dataset, "class_names", None)
        return list(names or map(str, range(dataset.num_classes)))

    def receipt(
        self,
        settings: SamplingSettings | None = None,
        *,
        num_samples: int | None = None,
        num_seeds: int = 1,
        **subject: Any,
    ) -> Receipt:
        """What `evaluate` says of the same arguments, before anything is measured.

        The generator then holds the standing statistics of the first seed, for the hash
        of the weights that sample is over them too.
        """
        protocol = self._require_protocol()
        require_at_least(1, num_samples=num_samples, num_seeds=num_seeds)
        protocol.prepare()
        settings = settings or self.settings()
        _, weights = self.settled(settings)
        return self._receipt(
            num_samples=protocol.num_samples if num_samples is None else num_samples,
            seed=settings.seed,
            num_seeds=num_seeds,
            **weights,
            **subject,
        )

    def evaluate(
        self, settings: SamplingSettings | None = None, **arguments: Any
    ) -> tuple[Receipt, MetricValues]:
        """Judges the generator by the recipe's protocol.

        Args:
          settings: of the samples and the standing statistics; None: `settings()`.
          **arguments: those of `receipt`. `num_samples` None is as many as the protocol
            asks for; `num_seeds` is how many evaluations, of the seeds from the
            settings' on, and from two on each metric is their mean with its interval
            (`repetition.combine`). The others say what is judged.

        Returns:
          The receipt and the metrics.

        Raises:
          ConfigurationError: if the recipe names no protocol.
        """
        settings = settings or self.settings()
        receipt = self.receipt(settings, **arguments)
        protocol, found = self._require_protocol(), []
        for number in range(receipt.num_seeds):
            one = dataclasses.replace(settings, seed=settings.seed + number)
            if number:  # `receipt` has collected those of the first one.
                self._collect_standing(one)
            found.append(protocol.evaluate(self._sampler, receipt.num_samples, one))
        return receipt, found[0] if len(found) == 1 else repetition.combine(found)

    def evaluate_held_out(
        self, *, num_samples: int | None = None, seed: int = 0
    ) -> tuple[Receipt, MetricValues]:
        """Judges real held-out data by the same protocol.

        Raises:
          ConfigurationError: there are none.
        """
        protocol = self._require_protocol()
        num_samples = protocol.num_samples if num_samples is None else num_samples
        num_judged, found = protocol.held_out(num_samples=num_samples, seed=seed)
        receipt = self._receipt(
            num_samples=num_judged, seed=seed, subject="held-out data"
        )
        return receipt, found

    def evaluate_pictures(
        self, parts: Parts, subject: str, *, num_samples: int | None, seed: int = 0
    ) -> tuple[Receipt, MetricValues]:
        """Judges pictures by anybody by the recipe's protocol.

        Args:
          parts: the pictures, of the data's shape.
          subject: what the receipt calls them.
          num_samples: at most so many, the first; None: all.
          seed: of the shuffles.

        Raises:
          ConfigurationError: there are too few, or the recipe makes points.
        """
        num_judged, found = self._require_protocol().pictures(
            parts, num_samples=num_samples, seed=seed
        )
        receipt = self._receipt(num_samples=num_judged, seed=seed, subject=subject)
        return receipt, found

    def neighbors(
        self, nearest: int, settings: SamplingSettings, **arguments: Any
    ) -> tuple[Receipt, Neighbors]:
        """The real images nearest to samples.

        Args:
          nearest: how many of each sample.
          settings: of the samples.
          **arguments: as `evaluate`; `num_seeds` is 1.

        Returns:
          The receipt, whose protocol says among how many they were looked for, and the
          `Neighbors`.

        Raises:
          ConfigurationError: for points, or without features of real images.
        """
        receipt = self.receipt(settings, **arguments)
        samples = self._sampler.sample(receipt.num_samples, settings)
        found = self._require_protocol().neighbors(samples, nearest)
        among = f"neighbors/1 k={nearest} of the first {found.searched}"
        return dataclasses.replace(
            receipt, protocol=f"{receipt.protocol} {among}"
        ), found

    def points(self) -> Points | None:
        """What points are drawn with, real ones besides; None: they are pictures."""
        dataset = self._experiment.dataset
        mixture = getattr(dataset, "mixture", None)
        if mixture is None:
            return None
        examples = dataset.examples(seed=(0, 0), first=0, count=_REAL_POINTS)
        real = next(iter(examples))[0].numpy()
        return {**mixture, "real": real}

    def held_out_images(self, num: int) -> np.ndarray:
        """The first real pictures of the held-out split, uint8 [n, h, w, c].

        Args:
          num: at most so many.
        """
        dataset: Any = self._experiment.dataset  # of pictures, which have an order
        parts = first(num, dataset.ordered("test"))
        return np.concatenate([images for images, _ in parts])

    @property
    def graph(self) -> SamplingGraph:
        """How samples are drawn, as one graph."""
        return self._sampler.graph

    def settings(self, seed: int = 0) -> SamplingSettings:
        """Those of the recipe: its latent steps, and all of the prior."""
        return SamplingSettings(seed, self.latent_steps)

    def settled(self, settings: SamplingSettings) -> tuple[Sampler, dict[str, Any]]:
        """The sampler, its generator holding the standing statistics of settings.

        Returns:
          The sampler, and what a receipt says of its weights and settings.
        """
        self._collect_standing(settings)
        return self._sampler, {
            "checkpoint_hash": fingerprint(
                variable.numpy()
                for variable in self._experiment.state()["averaged_generator"]
            ),
            "latent_steps": settings.latent_steps,
            "latent_move": self._moved_by(settings),
            "truncation": settings.truncation,
            "standing_batches": self.standing_batches,
            "standing_batch_size": self._experiment.batch_size,
            "standing_seed": settings.seed,
        }

    def _moved_by(self, settings: SamplingSettings) -> str | None:
        """What a receipt says of moves that are not the game's own."""
        move = self.graph.latent_move
        return move.description or None if move and settings.latent_steps else None

    def _collect_standing(self, settings: SamplingSettings) -> None:
        self._sampler.collect_standing(
            self.standing_batches, settings, batch_size=self._experiment.batch_size
        )

    def _require_protocol(self) -> Protocol:
        if self.protocol is None:
            raise ConfigurationError(
                "this recipe names no Evaluator.protocol: there is nothing to measure; "
                "bin/sample draws its samples"
            )
        return self.protocol

    def _receipt(self, **fields: Any) -> Receipt:
        protocol = self._require_protocol()
        return Receipt(protocol=protocol.name, **protocol.measured_with(), **fields)
