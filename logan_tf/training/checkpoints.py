"""Checkpoints of a run: networks, average, optimizers and the step, by step number."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from logan_tf.errors import BadDataError, ConfigurationError, first_line
from logan_tf.literal_paths import literal
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.collapse import Best
from logan_tf.training.experiment import Experiment

_STEP = "step/.ATTRIBUTES/VARIABLE_VALUE"
# What TensorFlow raises for damaged files; the first two say nothing about the files.
_INACCESSIBLE = (tf.errors.PermissionDeniedError, tf.errors.ResourceExhaustedError)
_UNREADABLE = (tf.errors.OpError, IndexError, OSError)


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
        self.hooks_pending = False
        self.best: Best | None = None
        self.sound: int | None = None
        self._max_to_keep = max_to_keep
        self._options = tf.train.CheckpointOptions(experimental_io_device=io_device)
        self._step = step
        self._attempt = tf.Variable(0, dtype=tf.int64) if attempt is None else attempt
        # By position: Keras's own tracking misses layers that a network keeps in lists.
        self._checkpoint = tf.train.Checkpoint(
            step=step, attempt=self._attempt, **experiment.state()
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
        self.hooks_pending = hooks_pending
        with self._writing():
            with self.files.saving(self._number(), self._manifest()) as path:
                self._checkpoint.write(path, options=self._options)
            self.files.keep(self._max_to_keep)

    def hooks_done(self, checked: bool = False) -> None:
        """Notes that what was due at this step has been done.

        Args:
          checked: whether it was something that would have found a collapse.

        Raises:
          BadDataError: if it cannot be noted.
        """
        if checked:
            self.sound = max(self.steps(), default=None)
        if self.hooks_pending:
            self.hooks_pending = False
            with self._writing():
                self.files.write_manifest(self._number(), self._manifest())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            raise BadDataError(
                f"cannot write a checkpoint to {self.files.directory} "
                f"({first_line(error)}): make room there; the older checkpoints are "
                "intact"
            ) from error

    def _number(self) -> int:
        return int(self._step.numpy())

    def _manifest(self) -> dict[str, Any]:
        return {
            "attempt": int(self._attempt.numpy()),
            "hooks_pending": self.hooks_pending,
            "best": None if self.best is None else self.best._asdict(),
            "sound": self.sound,
        }

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
            try:
                self._read(step)
            except BadDataError as error:
                damaged[step] = f"the checkpoint of step {step} is damaged: {error}"
                continue
            for number, line in damaged.items():
                if repair:
                    line += f"; its files are in {self.files.set_aside(number)} now"
                warn(f"{line}; going on from that of step {step}")
            return step
        newest, *others = damaged.values()
        before = f", and the {len(others)} before it too" if others else ""
        remedy = (
            "start anew with --restart, which removes them, or with another --run_dir"
            if which == "latest"
            else "choose --checkpoint=latest, the newest that is whole"
        )
        raise BadDataError(f"{self.files.directory}: {newest}{before}: {remedy}")

    def _read(self, step: int) -> None:
        """Reads a checkpoint into the variables; BadDataError where it is damaged."""
        manifest = self.files.manifest(step)
        try:
            with reading(self.files, step) as path:
                self._checkpoint.read(path, options=self._options).assert_consumed()
        except ConfigurationError:
            raise
        except (ValueError, AssertionError) as error:
            raise ConfigurationError(
                f"{self.files.folder(step)} holds other networks or optimizers than "
                f"this configuration ({first_line(error)}): keep the configuration, or "
                "start anew with --restart or another --run_dir"
            ) from error
        _require_step(self._number(), step)
        self.hooks_pending = manifest.get("hooks_pending", False)
        self.best, self.sound = Best.of(manifest), manifest.get("sound")


def _require_step(found: int, step: int) -> None:
    """A folder's name is anybody's to change, and steps are told by it."""
    if found != step:
        raise BadDataError(f"it is that of step {found}, under another name")


@contextlib.contextmanager
def reading(files: CheckpointFiles, step: int) -> Iterator[str]:
    """The path for TensorFlow to read a checkpoint from within the block.

    Raises:
      ConfigurationError: its files may not be read, or memory does not suffice.
      BadDataError: it is damaged.
    """
    path = files.path(step)
    try:
        with literal(path.parent) as folder:
            yield str(folder / path.name)
    except _INACCESSIBLE as error:
        raise ConfigurationError(
            f"{path.parent} cannot be read ({first_line(error)}): make its files "
            "readable, or free memory"
        ) from error
    except _UNREADABLE as error:
        raise BadDataError(first_line(error)) from error


def damage(files: CheckpointFiles, step: int) -> str | None:
    """Reads all of a checkpoint; says what is wrong with it, or None.

    Raises:
      ConfigurationError: it may not be read.
    """
    try:
        files.manifest(step)
        with reading(files, step) as path:
            reader = tf.train.load_checkpoint(path)
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
            _require_step(int(reader.get_tensor(_STEP)), step)
    except ConfigurationError:
        raise
    except (BadDataError, ValueError, RuntimeError) as error:
        return first_line(error)
    return None
