"""Checkpoints of a run: networks, average, optimizers and the step, by step number."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.collapse import Best
from logan_tf.training.experiment import Experiment

_HASH_DIGITS = 16


class Checkpoints:
    """Saves and restores an experiment.

    Args:
      directory: of the checkpoints; need not exist.
      experiment: what is saved.
      step: int64 variable, the number of steps done.
      attempt: int64 variable, the number of rollbacks; None where nobody counts.
      max_to_keep: the newest ones that are kept, beside those that they name.
      io_device: what reads and writes the files; None: each device its own.

    Attributes:
      files: the checkpoints as files.
      hashes: of all that was saved at each step so far: a run that was interrupted has
        the same ones as one that was not.
      hooks_pending: whether what was due at the restored step is still to be done.
      best: the best evaluation up to the restored or last saved step.
      sound: the newest checkpoint of which hooks have found no collapse.
    """

    def __init__(
        self,
        directory: Path,
        experiment: Experiment,
        step: tf.Variable,
        attempt: tf.Variable | None = None,
        max_to_keep: int = 3,
        io_device: str | None = None,
    ) -> None:
        self.files = CheckpointFiles(directory)
        self.hashes: dict[int, str] = {}
        self.hooks_pending = False
        self.best: Best | None = None
        self.sound: int | None = None
        self._max_to_keep = max_to_keep
        self._options = tf.train.CheckpointOptions(experimental_io_device=io_device)
        self._step = step
        self._attempt = tf.Variable(0, dtype=tf.int64) if attempt is None else attempt
        # By position: Keras's own tracking misses layers that a network keeps in lists.
        state = experiment.state()
        self._variables = tf.nest.flatten(list(state.values()))
        self._checkpoint = tf.train.Checkpoint(
            step=step, attempt=self._attempt, **state
        )

    def steps(self) -> list[int]:
        """The steps of which there are files, ascending."""
        return self.files.steps()

    def save(self, hooks_pending: bool = False) -> None:
        """Saves the state as that of the current step.

        Args:
          hooks_pending: whether something that is due at this step is yet to be done.

        Raises:
          BadDataError: if it cannot be written; older checkpoints are intact.
        """
        step = int(self._step.numpy())
        before = {s: h for s, h in self.hashes.items() if s < step}
        self.hashes = before | {step: self._hash()}
        self.hooks_pending = hooks_pending
        manifest = {
            "attempt": int(self._attempt.numpy()),
            "hooks_pending": hooks_pending,
            **self._named(),
            "hashes": {str(step): hash_ for step, hash_ in self.hashes.items()},
        }
        try:
            with self.files.saving(step, manifest) as path:
                self._checkpoint.write(path, options=self._options)
            self.files.keep(self._max_to_keep)
        except (tf.errors.OpError, OSError) as error:
            raise BadDataError(
                f"cannot write a checkpoint to {self.files.directory} "
                f"({_first_line(error)}): "
                "make room there; the older checkpoints are intact"
            ) from error

    def hooks_done(self, checked: bool = False) -> None:
        """Notes that what was due at this step has been done.

        Args:
          checked: whether it was something that would have found a collapse.
        """
        if checked:
            self.sound = max(self.hashes, default=None)
        if self.hooks_pending:
            manifest = self.files.manifest(int(self._step.numpy()))
            done = {"hooks_pending": False, **self._named()}
            self.files.write_manifest(manifest | done)
            self.hooks_pending = False

    def _named(self) -> dict[str, Any]:
        """What a manifest says of other checkpoints."""
        best = None if self.best is None else self.best._asdict()
        return {"best": best, "sound": self.sound}

    def restore(
        self,
        which: str = "latest",
        warn: Callable[[str], None] = print,
        repair: bool = False,
    ) -> int:
        """Restores a checkpoint; "latest" goes back to the newest that is whole.

        Args:
          which: "latest", "best" or a step.
          warn: is told of damaged checkpoints that were passed over.
          repair: whether to set those aside. Where none is whole, all stay in place.

        Returns:
          The step that was restored.

        Raises:
          ConfigurationError: if there is none, or it belongs to other networks.
          BadDataError: if it, or each of them, is damaged.
        """
        damaged: dict[int, str] = {}
        for step in self.files.choose(which):
            damage = self.files.damage(step) or self._read(step)
            if damage is None:
                self._warn(damaged, step, warn, repair)
                return step
            damaged[step] = damage
        raise BadDataError(self._all_damaged(damaged, which))

    def _all_damaged(self, damaged: dict[int, str], which: str) -> str:
        newest = max(damaged)
        others = (
            f", and the {len(damaged) - 1} before it too" if len(damaged) > 1 else ""
        )
        remedy = (
            "start anew with --restart, which removes them, or with another --run_dir"
            if which == "latest"
            else "choose --checkpoint=latest, the newest that is whole"
        )
        return (
            f"{self.files.path(newest)} is damaged: {damaged[newest]}{others}: {remedy}"
        )

    def _warn(
        self, damaged: dict[int, str], good: int, warn: Callable, repair: bool
    ) -> None:
        for step, damage in damaged.items():
            line = f"the checkpoint of step {step} is damaged: {damage}"
            if repair:
                line += f"; its files are in {self.files.set_aside(step)} now"
            warn(f"{line}; going on from that of step {good}")

    def _read(self, step: int) -> str | None:
        """Reads a checkpoint into the variables; returns what is damaged, if it is."""
        path = str(self.files.path(step))
        try:
            self._checkpoint.read(path, options=self._options).assert_consumed()
        except (ValueError, AssertionError) as error:
            raise ConfigurationError(
                f"{path} holds other networks or optimizers than this configuration "
                f"({_first_line(error)}): keep the configuration, or start anew with "
                "--restart or another --run_dir"
            ) from error
        except (tf.errors.OpError, IndexError, OSError) as error:
            return _first_line(error)
        manifest = self.files.manifest(step)
        self.hooks_pending = bool(manifest.get("hooks_pending", False))
        self.best, self.sound = Best.of(manifest), manifest.get("sound")
        hashes = manifest.get("hashes", {})
        self.hashes = {int(number): hash_ for number, hash_ in hashes.items()}
        return None

    def _hash(self) -> str:
        """Of every bit that the checkpoint holds."""
        digest = hashlib.sha256()
        for variable in (self._step, self._attempt, *self._variables):
            digest.update(tf.convert_to_tensor(variable).numpy().tobytes())
        return digest.hexdigest()[:_HASH_DIGITS]


def unreadable(path: Path) -> str | None:
    """Reads every tensor of a checkpoint; returns what TensorFlow says, or None.

    Args:
      path: without suffix.
    """
    try:
        reader = tf.train.load_checkpoint(str(path))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, IndexError, ValueError, RuntimeError, OSError) as error:
        return _first_line(error)
    return None


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
