"""What an evaluation found, and how: a number never travels without its receipt."""

import dataclasses
import hashlib
import json
import os
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tabulate

from logan_tf import atomic_file, small_files
from logan_tf.errors import BadDataError, ConfigurationError, first_line
from logan_tf.sampling.settings import SamplingSettings

ACCURACY_SCORE = "accuracy_score/"
"""How the protocols of the classification accuracy score begin."""

MetricValues = dict[str, dict[str, Any]]
"""Metric name -> {"value": number, and what else belongs to it}."""


@dataclasses.dataclass(frozen=True)
class Receipt:
    """The circumstances of an evaluation.

    Attributes:
      protocol: names the procedure and its version, such as "stacked_digits_modes/1".
      num_samples: how many samples were judged.
      seed: of the samples; the first of several.
      num_seeds: how many seeds, from `seed` on, the numbers are the mean of.
      subject: what was judged: "checkpoint", "untrained generator", "held-out data".
      recipe: the recipe that trained it.
      checkpoint_step: the number of generator updates.
      checkpoint_hash: of the weights that sampled.
      latent_steps: steps of latent optimization before each sample.
      latent_move: what moved them; None: the game's own latent optimizer.
      truncation: the factor s of the latents.
      standing_batches: how many batches set the standing statistics.
      standing_batch_size: their size.
      standing_seed: their seed.
      classifier: hash of the classifier's data and constants, or of its files.
      classifier_sha256: of a SavedModel's files, whole; `classifier` has it in short.
      classifier_weights: hash of its weights, which differ between processors.
      classifier_accuracy: on held-out data, in [0, 1].
      classifier_input: who makes the pixels that it is for, of those that it is given.
      reference: which real images the samples were compared with.
      reference_hash: of their statistics, which round like the classifier's weights.
    """

    protocol: str
    num_samples: int
    seed: int
    num_seeds: int = 1
    subject: str = "checkpoint"
    recipe: str | None = None
    checkpoint_step: int | None = None
    checkpoint_hash: str | None = None
    latent_steps: int = 0
    latent_move: str | None = None
    truncation: float = 1.0
    standing_batches: int = 0
    standing_batch_size: int | None = None
    standing_seed: int | None = None
    classifier: str | None = None
    classifier_sha256: str | None = None
    classifier_weights: str | None = None
    classifier_accuracy: float | None = None
    classifier_input: str | None = None
    reference: str | None = None
    reference_hash: str | None = None

    @property
    def settings(self) -> SamplingSettings:
        """Of the samples, of the first seed."""
        return SamplingSettings(self.seed, self.latent_steps, self.truncation)

    @property
    def is_accuracy_score(self) -> bool:
        """Whether a classifier that learned from the samples was tested."""
        return self.protocol.startswith(ACCURACY_SCORE)

    def seeds(self) -> str:
        """ "seed 0", "seeds 0 to 4"."""
        if self.num_seeds == 1:
            return f"seed {self.seed}"
        return f"seeds {self.seed} to {self.seed + self.num_seeds - 1}"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The contents of an evaluation's file."""

    receipt: Receipt
    metrics: MetricValues

    def contents(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"receipt": dataclasses.asdict(self.receipt), "metrics": self.metrics}

    @classmethod
    def of(cls, contents: Any) -> "Evaluation":
        """From what JSON had.

        Raises:
          AttributeError, KeyError, TypeError, ValueError: it is no evaluation.
        """
        receipt, metrics = Receipt(**contents["receipt"]), contents["metrics"]
        small_files.require_kinds(vars(receipt), typing.get_type_hints(Receipt))
        for metric in metrics.values():
            small_files.require_kinds(metric, {"value": float})
            for several in {"values", "interval"} & metric.keys():
                small_files.require_numbers(metric[several])
            if len(metric.get("interval", (0, 0))) != 2:
                raise ValueError("it has an interval without two ends")
            if len(metric.get("values", (0, 0))) < 2:
                raise ValueError("it has values of less than two seeds")
        return cls(receipt, metrics)


def write_evaluation(
    path: str | os.PathLike[str], receipt: Receipt, metrics: MetricValues
) -> None:
    """Writes {"receipt": {...}, "metrics": {...}} as JSON, whole or not at all.

    Raises:
      ValueError: NaN or Inf among the metrics, which JSON does not know.
    """
    contents = Evaluation(receipt, metrics).contents()
    text = json.dumps(contents, indent=2, allow_nan=False) + "\n"
    atomic_file.write_text(path, text)


def read_evaluation(path: str | os.PathLike[str]) -> Evaluation:
    """Reads what `write_evaluation` wrote.

    Raises:
      ConfigurationError: there is no such file.
      BadDataError: the file is garbled or of another version.
    """
    try:
        return Evaluation.of(small_files.read_json(path))
    except FileNotFoundError:
        raise ConfigurationError(f"no evaluation at {path}: run bin/evaluate") from None
    except small_files.GARBLED as error:
        raise BadDataError(
            f"{path} is no evaluation ({first_line(error)}): remove it and evaluate "
            "again"
        ) from error


def own_path(path: Path, *receipts: Receipt, unknown: Sequence[str] = ()) -> Path:
    """The path, or one beside it where numbers of other circumstances lie.

    Numbers that differ in the hash of the weights alone are replaced: of a checkpoint
    there are no other weights any more. What cannot be read is replaced too.

    Args:
      path: of an evaluation, or of several in one file.
      receipts: of what is to be written there, in its order.
      unknown: further fields that are not known yet.
    """
    passed_over = ("checkpoint_hash", *unknown)

    def circumstances(receipt: Any) -> dict[str, Any]:
        # A field that an earlier version did not write is one that says nothing.
        told = {k: v for k, v in receipt.items() if v is not None}
        return {k: v for k, v in told.items() if k not in passed_over}

    wanted = [circumstances(dataclasses.asdict(receipt)) for receipt in receipts]
    try:
        contents = small_files.read_json(path)
        there = contents.get("evaluations", [contents])
        if [circumstances(each["receipt"]) for each in there] == wanted:
            return path
    except small_files.GARBLED:
        return path
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    return path.with_name(f"{path.stem}-{digest[:8]}{path.suffix}")


def fingerprint(arrays: Iterable[np.ndarray]) -> str:
    """16 hexadecimal digits that tell the contents of arrays apart."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def require_comparable(first: Receipt, second: Receipt) -> None:
    """Refuses to set numbers side by side that were not measured alike.

    The settings of an experiment (recipe, step, latent steps, truncation, seeds) may
    differ; the yardstick may not. The classifier's weights round differently on
    different processors, so its data and constants are compared, and which images the
    reference is of.

    Raises:
      ConfigurationError: another protocol, number of samples, classifier or
        reference; the message names all that differ.
    """
    differences = [
        f"{name} is {getattr(first, name)} in one and {getattr(second, name)} in the "
        "other"
        for name in ("protocol", "num_samples", "classifier", "reference")
        if getattr(first, name) != getattr(second, name)
    ]
    if differences:
        raise ConfigurationError(
            f"these evaluations cannot be compared: {', '.join(differences)}; evaluate "
            "both alike"
        )


def rows(columns: Mapping[str, MetricValues]) -> list[dict[str, object]]:
    """A row of a table for each metric, with the intervals where there are any."""
    names = dict.fromkeys(name for metrics in columns.values() for name in metrics)
    table = []
    for name in names:
        row: dict[str, object] = {"": name}
        for column, metrics in columns.items():
            metric = metrics.get(name, {})
            row[column] = metric.get("value")
            if "interval" in metric:
                low, high = metric["interval"]
                row["95 % interval"] = f"[{low:.4g}, {high:.4g}]"
        table.append(row)
    return table


def format_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Lays rows out as text, columns in the order in which they first appear.

    Integers get thousands separators, floats four significant digits; numbers align to
    the right. A value that a row lacks, or None, is a dash.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    numeric = [
        all(isinstance(row.get(name), int | float | None) for row in rows)
        for name in columns
    ]
    return tabulate.tabulate(
        [[_cell(row.get(name)) for name in columns] for row in rows],
        columns,
        "simple",
        disable_numparse=True,
        colalign=["right" if each else "left" for each in numeric],
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
