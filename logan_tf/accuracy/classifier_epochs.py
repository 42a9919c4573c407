"""What happens between two epochs of a classifier's training, and at a resume."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from logan_tf.errors import BadDataError, DivergedError, first_line
from logan_tf.literal_paths import literal
from logan_tf.runs.checkpoint_files import CheckpointFiles


class Epochs(keras.callbacks.Callback):
    """Saves all that an epoch leaves behind, and restores it.

    Args:
      model: compiled, its optimizer built.
      folder: of the last epoch's checkpoint; need not exist.
    """

    def __init__(self, model: keras.Model, folder: Path) -> None:
        super().__init__()
        self._done = tf.Variable(0, dtype=tf.int64)
        variables = [*model.variables, *model.optimizer.variables]
        self._checkpoint = tf.train.Checkpoint(
            done=self._done, variables=[variable.value for variable in variables]
        )
        self._folder = folder
        self._files = CheckpointFiles(folder)

    def restore(self) -> int:
        """Restores the last epoch; returns how many were done."""
        for epoch in self._files.steps()[-1:]:
            path = self._files.path(epoch)
            with _writing(self._folder), literal(path.parent) as folder:
                self._checkpoint.read(str(folder / path.name)).assert_consumed()
        return int(self._done.numpy())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not math.isfinite((logs or {}).get("loss", math.nan)):
            raise diverged(f"has a loss of NaN or Inf in epoch {epoch + 1}")
        self._done.assign(epoch + 1)
        with _writing(self._folder):
            with self._files.saving(epoch + 1, {}) as path:
                self._checkpoint.write(path)
            self._files.keep(1)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        raise BadDataError(
            f"the classifier in {folder} can be written or read no more "
            f"({first_line(error)}): remove the folder, or give another --work_dir"
        ) from error


def diverged(what: str) -> DivergedError:
    """The error of a classifier that does not learn; `what` it does instead."""
    return DivergedError(
        f"the classifier {what}: lower ClassifierTraining.learning_rate, or give it "
        "ClassifierTraining.warmup_epochs"
    )
