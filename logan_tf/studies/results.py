"""What the runs of a study left on disk."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from logan_tf import atomic_file, quantities, small_files
from logan_tf.errors import BadDataError, first_line
from logan_tf.evaluation.receipts import Evaluation, read_evaluation
from logan_tf.plots import training_curves
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies.study import Arm, Study

_OUTCOME = "outcome.json"
LOCAL_APPROXIMATION = "local_approximation.json"


@dataclasses.dataclass(frozen=True)
class ArmRun:
    """One arm's run of one seed, as far as it came."""

    arm: Arm
    seed: int
    path: Path

    @classmethod
    def of(cls, arm: Arm, seed: int, folder: Path) -> "ArmRun":
        """The run in its study's folder."""
        return cls(arm, seed, folder / f"{arm.name}-seed{seed}")

    @functools.cached_property
    def outcome(self) -> dict[str, Any]:
        """How its training ended: `exit_code`, `message`; empty before that."""
        kinds = {"flags": list, "exit_code": int, "message": str}
        return _written(self.path / _OUTCOME, kinds)

    def write_outcome(self, outcome: dict[str, Any]) -> None:
        """Puts `outcome` on disk, whole or not at all."""
        text = json.dumps(outcome, indent=2) + "\n"
        atomic_file.write_text(self.path / _OUTCOME, text)

    @property
    def told_steps(self) -> int | None:
        """How many steps its training was told to take; None before that."""
        statement = "--gin_param=total_steps = "
        told = [f for f in self.outcome.get("flags", ()) if f.startswith(statement)]
        return int(told[-1].removeprefix(statement)) if told else None

    @property
    def collapsed(self) -> bool:
        """Whether it ended early, of its own accord."""
        return self.outcome.get("exit_code", 0) != 0

    @functools.cached_property
    def evaluations(self) -> list[Evaluation]:
        """All of them by the recipe's protocol, by step."""
        found = [each for each in self._read() if not each.receipt.is_accuracy_score]
        return sorted(found, key=lambda each: each.receipt.checkpoint_step or 0)

    def accuracy(self, of_real: bool = False) -> Evaluation | None:
        """What a classifier learned from samples, or from real images."""
        for each in self._read():
            is_real = each.receipt.checkpoint_step is None
            if each.receipt.is_accuracy_score and is_real == of_real:
                return each
        return None

    def _read(self) -> list[Evaluation]:
        folder = RunDirectory(self.path).evaluations
        # By stem: what has a name of its own comes after what was there first.
        paths = sorted(folder.glob("*.json"), key=lambda path: path.stem)
        return [read_evaluation(path) for path in paths]

    @functools.cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """`metrics.jsonl` by name, float64 [lines]; empty where nothing is logged."""
        history = training_curves.read(RunDirectory(self.path).metrics)
        steps = {"step": history.steps} if len(history.steps) else {}
        return {**steps, **history.metrics}

    @functools.cached_property
    def local_approximation(self) -> dict[str, float]:
        """The error of eq. 26 by player; empty where nobody has measured it."""
        kinds = {"generator": float, "discriminator": float}
        return _written(self.path / LOCAL_APPROXIMATION, kinds)

    def ending(self, name: str) -> float:
        """A training metric's mean over the last fifth of its lines."""
        line = self.metrics[name]
        return float(np.mean(line[-max(1, len(line) // 5) :]))

    @property
    def images_per_second(self) -> float:
        """The median over the training: the first call, which traces, is no measure."""
        return float(np.median(self.metrics["images_per_second"]))

    @property
    def seconds_per_step(self) -> float | None:
        """The median step's time; None before the first evaluation."""
        sizes = [each.receipt.standing_batch_size for each in self.evaluations]
        if not self.metrics or not sizes or not sizes[0]:
            return None
        return sizes[0] / self.images_per_second

    @property
    def latent_steps(self) -> int:
        """Those of the evaluations during the training, of which step 0's is one."""
        return self.evaluations[0].receipt.latent_steps if self.evaluations else 0

    def at(self, step: int, asked: SamplingSettings | None = None) -> Evaluation | None:
        """The evaluation of a step by these settings; None: those of the training."""
        asked = asked or SamplingSettings(latent_steps=self.latent_steps)
        for each in self.evaluations:
            receipt = each.receipt
            of_step = (receipt.checkpoint_step, receipt.num_seeds) == (step, 1)
            if of_step and receipt.settings == asked:
                return each
        return None


@dataclasses.dataclass(frozen=True)
class Results:
    """A study's runs.

    Attributes:
      study: which one.
      scale: at which.
      runs: of its arms, whether they have begun or not.
      known: a run → the same as far as anything is known of it.
    """

    study: Study
    scale: str
    runs: Sequence[ArmRun]
    known: Callable[[ArmRun], ArmRun] = lambda run: run

    @property
    def arms(self) -> list[Arm]:
        """Those of which there are runs, in order."""
        return list(dict.fromkeys(run.arm for run in self.runs))

    def of(self, name: str) -> list[ArmRun]:
        """An arm's runs that have begun, by seed."""
        return [run for run in self.runs if run.arm.name == name and run.metrics]

    def images_per_second(self, name: str) -> float:
        """The median over an arm's seeds, for other work slows one or the other."""
        return float(np.median([run.images_per_second for run in self.of(name)]))

    def begun(self) -> Iterator[tuple[Arm, list[ArmRun]]]:
        """Every arm that has runs to look at, and these."""
        for arm in self.arms:
            if runs := self.of(arm.name):
                yield arm, runs

    def last_step(self, arm: Arm) -> int:
        """The step at which its runs end."""
        return self.study.steps_of(arm, self.scale)[-1]


def pictures_path(run: ArmRun, asked: SamplingSettings) -> Path:
    """Where samples lie that a figure shows."""
    name = f"latent{asked.latent_steps}-truncation{asked.truncation}.npz"
    return run.path / "samples" / name


def values(evaluations: Sequence[Evaluation | None], name: str) -> list[float]:
    """A metric's values where there are any, by whichever classifier."""
    found = []
    for each in evaluations:
        known = each.metrics.items() if each is not None else ()
        of = [m["value"] for n, m in known if quantities.find(n).name == name]
        found += [float(value) for value in of[:1]]
    return found


def _written(path: Path, kinds: dict[str, Any]) -> dict[str, Any]:
    """What a run's file says, each name of its kind; nothing where there is no file."""
    if not path.is_file():
        return {}
    try:
        found = small_files.read_json(path)
        small_files.require_kinds(found, {k: kinds[k] for k in kinds if k in found})
        return dict(found)
    except small_files.GARBLED as error:
        raise BadDataError(
            f"{path} cannot be read ({first_line(error)}): remove it, and it is made "
            "again"
        ) from error
