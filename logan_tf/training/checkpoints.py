"""Checkpoints of a run: networks, average, optimizers and the step, by step number."""

from functools import cached_property
from pathlib import Path

import tensorflow as tf

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.training.experiment import Experiment

_PREFIX = "ckpt"


class Checkpoints:
    """Saves and restores an experiment.

    Args:
      directory: of the checkpoints; need not exist.
      experiment: what is saved.
      step: int64 variable, the number of steps done.
      max_to_keep: the newest ones that are kept.
    """

    def __init__(
        self,
        directory: Path,
        experiment: Experiment,
        step: tf.Variable,
        max_to_keep: int = 3,
    ) -> None:
        self.directory = directory
        self._max_to_keep = max_to_keep
        self._step = step
        # By position: Keras's own tracking misses layers that a network keeps in lists.
        holders = {
            "generator": experiment.generator,
            "averaged_generator": experiment.averaged_generator,
            "discriminator": experiment.discriminator,
        } | {f"{player}_optimizer": o for player, o in experiment.optimizers.items()}
        self._checkpoint = tf.train.Checkpoint(
            step=step,
            **{
                name: [variable.value for variable in holder.variables]
                for name, holder in holders.items()
            },
        )

    @cached_property
    def _manager(self) -> tf.train.CheckpointManager:
        """Takes up, when first something is saved, what the directory then holds."""
        return tf.train.CheckpointManager(
            self._checkpoint,
            str(self.directory),
            max_to_keep=self._max_to_keep,
            checkpoint_name=_PREFIX,
        )

    def steps(self) -> list[int]:
        """The steps that can be restored, ascending."""
        paths = self.directory.glob(f"{_PREFIX}-*.index")
        numbers = [path.stem.removeprefix(f"{_PREFIX}-") for path in paths]
        return sorted(int(number) for number in numbers if number.isdigit())

    def save(self) -> None:
        """Saves the state as that of the current step.

        Raises:
          BadDataError: if it cannot be written; older checkpoints are intact.
        """
        try:
            self._manager.save(checkpoint_number=int(self._step.numpy()))
        except (tf.errors.OpError, OSError) as error:
            raise BadDataError(
                f"cannot write a checkpoint to {self.directory} "
                f"({_first_line(error)}): "
                "make room there; the older checkpoints are intact"
            ) from error

    def restore(self, which: str = "latest") -> int:
        """Restores a checkpoint.

        Args:
          which: "latest" or a step.

        Returns:
          The step that was restored.

        Raises:
          ConfigurationError: if there is none, or it belongs to other networks.
          BadDataError: if it cannot be read.
        """
        path = str(self.directory / f"{_PREFIX}-{self._choose(which)}")
        try:
            status = self._checkpoint.restore(path)
            status.assert_consumed()
        except (ValueError, AssertionError) as error:
            raise ConfigurationError(
                f"{path} holds other networks or optimizers than this configuration "
                f"({_first_line(error)}): keep the configuration, or start anew with "
                "--restart or another --run_dir"
            ) from error
        except (tf.errors.OpError, IndexError, OSError) as error:
            raise BadDataError(
                f"cannot read the checkpoint {path} ({_first_line(error)}): remove "
                "its files "
                "to go on from the one before"
            ) from error
        return int(self._step.numpy())

    def _choose(self, which: str) -> int:
        steps = self.steps()
        if not steps:
            raise ConfigurationError(
                f"{self.directory} holds no checkpoint: train first with bin/train "
                f"--run_dir={self.directory.parent}"
            )
        if which == "latest":
            return steps[-1]
        if not which.isdigit() or int(which) not in steps:
            raise ConfigurationError(
                f"there is no checkpoint {which!r} in {self.directory}: choose "
                "'latest' or "
                f"one of the steps {', '.join(map(str, steps))}"
            )
        return int(which)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
