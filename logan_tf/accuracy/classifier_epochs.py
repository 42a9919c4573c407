"""What happens between two epochs of a classifier's training, and at a resume."""

import contextlib
import hashlib
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from logan_tf.errors import BadDataError, DivergedError
from logan_tf.runs.checkpoint_files import CheckpointFiles

_KEPT = 2  # epochs' checkpoints: one to fall back to if the newest is damaged


class Epochs(keras.callbacks.Callback):
    """Saves all that an epoch leaves behind, and restores it."""

    def __init__(self, model: keras.Model, folder: Path) -> None:
        super().__init__()
        self._files = CheckpointFiles(folder)
        variables = [*model.variables, *model.optimizer.variables]
        self._checkpoint = tf.train.Checkpoint(
            variables=[variable.value for variable in variables]
        )

    def restore(self) -> int:
        """Restores the newest epoch that is whole; returns how many were done."""
        for epoch in reversed(self._files.steps()):
            with contextlib.suppress(tf.errors.OpError, IndexError, OSError):
                path = str(self._files.path(epoch))
                self._checkpoint.read(path).assert_consumed()
                return epoch
        return 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not math.isfinite((logs or {}).get("loss", math.nan)):
            raise diverged(f"has a loss of NaN or Inf in epoch {epoch + 1}")
        try:
            with self._files.saving(epoch + 1, {}) as path:
                self._checkpoint.write(path)
            self._files.keep(_KEPT)
        except (tf.errors.OpError, OSError) as error:
            raise BadDataError(
                f"cannot write the classifier to {self._files.directory} "
                f"({str(error).splitlines()[0][:100]}): make room there, or give "
                "another --work_dir"
            ) from error


class Progress(keras.callbacks.Callback):
    """A bar over all batches, with the time that is left and the last epoch's loss."""

    def __init__(self, bar: tqdm) -> None:
        super().__init__()
        self._bar = bar

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._bar.set_postfix(loss=f"{(logs or {}).get('loss', math.nan):.3g}")


def weights_hash(model: keras.Model) -> str:
    """16 hexadecimal digits that tell two trainings apart."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


def diverged(what: str) -> DivergedError:
    """The error of a classifier that does not learn; `what` it does instead."""
    return DivergedError(
        f"the classifier {what}: lower ClassifierTraining.learning_rate, or give it "
        "warmup_epochs"
    )
