"""Runs that count as done because a study's committed results.json has them.

So a long study can be made in parts, on more than one machine. Such a run has no
folder: what it says of itself is what the file says, numbers whole, and its training as
means over twentieths.
"""

import dataclasses
import functools
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from logan_tf import quantities, small_files
from logan_tf.errors import BadDataError, first_line
from logan_tf.evaluation.receipts import Evaluation
from logan_tf.studies.results import ArmRun

FILE = "results.json"
_WINDOWS = 20
_DIGITS = 6

Said = dict[str, Any]

_KINDS = {
    **dict.fromkeys(
        ("arm", "outcome", "local_approximation", "endings", "training"), dict
    ),
    "seed": int,
    "seconds_per_step": float | NoneType,
    "evaluations": list,
}


def said_of(run: ArmRun) -> Said:
    """What results.json says of a run."""
    return {
        "arm": dataclasses.asdict(run.arm),
        "seed": run.seed,
        "outcome": run.outcome,
        "seconds_per_step": run.seconds_per_step,
        "local_approximation": run.local_approximation,
        "endings": {name: run.ending(name) for name in _trained(run)},
        "training": {
            name: _windows(run.metrics[name]) for name in ("step", *_trained(run))
        },
        "evaluations": [dataclasses.asdict(each) for each in run.evaluations],
    }


@dataclasses.dataclass(frozen=True)
class CommittedRun(ArmRun):
    """A run of which only this is left.

    Attributes:
      said: as of `said_of`.
    """

    said: Said = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_run(cls, run: ArmRun) -> "CommittedRun":
        """A run as its study's file will have it."""
        if isinstance(run, cls):
            return run
        return cls(run.arm, run.seed, run.path, said_of(run))

    @functools.cached_property
    def outcome(self) -> Said:
        """How its training ended."""
        return dict(self.said["outcome"])

    @functools.cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """Means over windows of its training's lines, by name; NaN: none has it."""
        training = self.said["training"]
        return {name: np.array(line, np.float64) for name, line in training.items()}

    @functools.cached_property
    def local_approximation(self) -> dict[str, float]:
        """The error of eq. 26 by player."""
        return dict(self.said["local_approximation"])

    @property
    def seconds_per_step(self) -> float | None:
        """The median step's time."""
        return self.said["seconds_per_step"]

    @property
    def images_per_second(self) -> float:
        """By the median step's time."""
        size = self.evaluations[0].receipt.standing_batch_size or np.nan
        return size / (self.seconds_per_step or np.nan)

    def ending(self, name: str) -> float:
        """A training metric's mean over the last fifth of its lines."""
        return self.said["endings"][name]

    def _read(self) -> list[Evaluation]:
        return [Evaluation.of(each) for each in self.said["evaluations"]]


class Committed:
    """The runs of all studies' committed files.

    Args:
      folder: each study has one in it; None: there are none.
      scale: at which runs count.
    """

    def __init__(self, folder: Path | None, scale: str) -> None:
        self._folder, self._scale = folder, scale
        self._files: dict[str, dict[tuple[str, int], Said]] = {}

    def find(self, run: ArmRun, *studies: str) -> CommittedRun | None:
        """The same run in the first of these studies' files that has it whole.

        Raises:
          BadDataError: if a file is garbled.
        """
        for study in studies:
            said = self._of(study).get((run.arm.name, run.seed))
            if said is not None:
                return CommittedRun(run.arm, run.seed, run.path, said)
        return None

    def _of(self, study: str) -> dict[tuple[str, int], Said]:
        if study not in self._files:
            self._files[study] = self._read(study)
        return self._files[study]

    def _read(self, study: str) -> dict[tuple[str, int], Said]:
        if self._folder is None or not (self._folder / study / FILE).is_file():
            return {}
        path = self._folder / study / FILE
        try:
            contents = small_files.read_json(path)
            if contents["scale"] != self._scale:
                return {}
            # Versions before this one did not write how a training went.
            runs = [run for run in contents["runs"] if run.get("training")]
            for run in runs:
                _require_whole(run)
            return {(run["arm"]["name"], run["seed"]): run for run in runs}
        except small_files.GARBLED as error:
            raise BadDataError(
                f"{path} cannot be read ({first_line(error)}): restore it, or train "
                "all runs anew with --anew"
            ) from error


def _require_whole(said: Said) -> None:
    """Raises KeyError, TypeError or ValueError for what no `said_of` has made."""
    small_files.require_kinds(said, _KINDS)
    small_files.require_kinds(said["outcome"], {"flags": list})
    small_files.require_numbers(list(said["endings"].values()))
    for each in said["evaluations"]:
        Evaluation.of(each)


def _trained(run: ArmRun) -> list[str]:
    known = [quantity.name for quantity in quantities.TRAINED]
    return [name for name in known if name in run.metrics]


def _windows(line: np.ndarray) -> list[float | None]:
    """Means of about twenty equal parts; None where nothing is known."""
    parts = np.array_split(line, min(_WINDOWS, len(line)))
    return [
        float(f"{np.nanmean(part):.{_DIGITS}g}") if np.isfinite(part).any() else None
        for part in parts
    ]
