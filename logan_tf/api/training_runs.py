"""Runs from Python: `train` makes or resumes one, `load` opens one.

What they do is what `bin/train`, `bin/sample`, `bin/evaluate` and `bin/export` do, in
the same run directory. What those print as an error is the text of an exception of
`logan_tf.errors` here.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gin
import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image

from logan_tf.cli.running import lifecycle, reporting
from logan_tf.cli.running.interruption import Interruption
from logan_tf.configuration import bindings, recipe, recipe_files
from logan_tf.errors import ConfigurationError
from logan_tf.evaluation import exporting
from logan_tf.evaluation.receipts import Evaluation
from logan_tf.plots import samples as sample_pictures
from logan_tf.runs.run_directory import RunDirectory, metric_lines, metric_row
from logan_tf.sampling import saved_assets
from logan_tf.sampling.sampler import Samples, to_uint8
from logan_tf.sampling.settings import SamplingSettings

StrPath = str | os.PathLike[str]


class TrainingRun:
    """A run at one of its checkpoints.

    gin's configuration is one for the whole process: each method puts the run's own in
    place before it works, so several runs can be open at once.

    Args:
      directory: the run's.
      checkpoint: "latest", "best" or a step.
      modules: yours, whose classes the run's recipe names.
      trust: the SavedModels that it may name as classifiers.

    Attributes:
      path: of the run directory.
      recipe: its name.
      step: of the checkpoint.

    Raises:
      ConfigurationError: there is no run, or no such checkpoint.
      BadDataError: it cannot be read.
    """

    def __init__(
        self,
        directory: RunDirectory,
        checkpoint: str | int = "latest",
        modules: Sequence[str] = (),
        trust: Sequence[str] = (),
    ) -> None:
        directory.require()
        directory.require_checkpoint(str(checkpoint))
        self._directory = directory
        self._modules, self._trust = tuple(modules), tuple(trust)
        self._scanned = recipe.read([str(directory.config)], [], self._modules)
        self._config = ""
        with self._configured():
            self._run, self.step = lifecycle.restore(
                directory, str(checkpoint), announce=False
            )
        self.path, self.recipe = directory.path, directory.recipe()

    def __repr__(self) -> str:
        return f"<{self.recipe} in {self.path}, step {self.step:,}>"

    def sample(
        self,
        num: int = 64,
        seed: int = 0,
        truncation: float = 1.0,
        labels: Sequence[int] | np.ndarray | None = None,
        latent_steps: int | None = None,
    ) -> np.ndarray:
        """Draws samples of the averaged generator, those of `bin/sample`.

        Args:
          num: 1 or more; the first k are those of `num` = k.
          seed: 0 or more; the same one gives the same samples.
          truncation: of the latents, in (0, 1].
          labels: integers [num], the classes to draw; None draws them too.
          latent_steps: 0 or more, before sampling; None: the recipe's.

        Returns:
          Pictures uint8 [num, height, width, channels], or points float32 [num, 2].

        Raises:
          ConfigurationError: for a value out of range, or labels of a generator that
            has none.
        """
        given = None if labels is None else np.asarray(labels)
        if given is not None and not self._run.evaluator.num_classes:
            raise ConfigurationError(
                "the generator is not class-conditional: draw without labels"
            )
        settings = self._settings(seed, truncation, latent_steps)
        images = self._samples(num, settings, given).images
        return to_uint8(images) if images.ndim == 4 else images

    def show(self, num: int = 64, seed: int = 0) -> Image.Image:
        """Samples as one picture, which notebooks show: a grid, or a cloud of points.

        Args:
          num, seed: as `sample`.
        """
        samples = self._samples(num, self._settings(seed))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "samples.png")
            sample_pictures.save(path, samples, self._run.evaluator.points())
            with Image.open(path) as picture:
                return picture.convert("RGB")

    def evaluate(
        self,
        seed: int = 0,
        num_samples: int | None = None,
        num_seeds: int = 1,
        truncation: float = 1.0,
        latent_steps: int | None = None,
    ) -> Evaluation:
        """Judges the run by its recipe's protocol, and writes the numbers down.

        Args:
          seed, truncation, latent_steps: as `sample`.
          num_samples: 1 or more; None: as many as the protocol asks for.
          num_seeds: 1 or more; from 2 on the numbers are means, with intervals.

        Returns:
          The receipt, and the metrics by name, each with its "value".

        Raises:
          ConfigurationError: for a value out of range, or a recipe without a protocol.
        """
        settings = self._settings(seed, truncation, latent_steps)
        with self._configured():
            _, receipt, metrics = lifecycle.evaluate(
                self._run,
                self._directory,
                self.step,
                settings,
                num_samples=num_samples,
                num_seeds=num_seeds,
            )
        return Evaluation(receipt, metrics)

    def export(
        self, output: StrPath | None = None, *, discriminator: bool = True
    ) -> Path:
        """Writes the generator as a SavedModel that needs none of this package.

        Args:
          output: the folder; None: `saved_model` in the run directory.
          discriminator: whether to include it, for latent steps and scores.

        Returns:
          The folder.

        Raises:
          ConfigurationError: something else lies there.
        """
        target = self._directory.saved_model
        target = Path(output).expanduser() if output is not None else target
        saved_assets.require_free(target)
        with self._configured():
            exporting.export(
                self._run.evaluator,
                self._directory,
                self.step,
                target,
                discriminator=discriminator,
            )
        return target

    @property
    def metrics(self) -> pd.DataFrame:
        """What training logged: a row for each logged step, a column for each number.

        Its index is the step, the number of updates of the generator so far.
        """
        rows = map(metric_row, metric_lines(self._directory.metrics))
        frame = pd.DataFrame([row for row in rows if row is not None])
        return frame.set_index("step") if len(frame) else frame

    def _samples(
        self,
        num: int,
        settings: SamplingSettings,
        labels: np.ndarray | None = None,
    ) -> Samples:
        with self._configured():
            return self._run.evaluator.sample(num, settings, labels=labels)

    def _settings(
        self,
        seed: int = 0,
        truncation: float = 1.0,
        latent_steps: int | None = None,
    ) -> SamplingSettings:
        own = self._run.evaluator.latent_steps
        steps = own if latent_steps is None else latent_steps
        return SamplingSettings(seed, steps, truncation)

    @contextlib.contextmanager
    def _configured(self) -> Iterator[None]:
        """gin has the run's configuration: what is traced now asks for it."""
        if not self._config or gin.config_str() != self._config:
            bindings.apply(self._scanned, self._modules, self._trust)
            self._config = gin.config_str()
        yield


def load(
    run_dir: StrPath,
    checkpoint: str | int = "latest",
    *,
    modules: Sequence[str] = (),
    trust: Sequence[str] = (),
) -> TrainingRun:
    """Opens a run that `train` or `bin/train` made.

    Args:
      run_dir: its directory.
      checkpoint: "latest", "best" or a step.
      modules: yours, whose classes the run's recipe names; they are imported.
      trust: the SavedModels, which are programs, that it may name as classifiers.

    Raises:
      ConfigurationError, BadDataError: as `TrainingRun`.
    """
    directory = RunDirectory(Path(run_dir).expanduser())
    return TrainingRun(directory, checkpoint, modules, trust)


def train(
    recipe_name: str | Sequence[str],
    *,
    run_dir: StrPath | None = None,
    bind: Sequence[str] = (),
    modules: Sequence[str] = (),
    trust: Sequence[str] = (),
    strategy: tf.distribute.Strategy | None = None,
    restart: bool = False,
    progress: bool = True,
    **knobs: Any,
) -> TrainingRun:
    """Trains a recipe in a run directory, from its last checkpoint on.

        run = logan_tf.train("stacked_digits_logan", total_steps=500)

    Args:
      recipe_name: a shipped recipe, a gin file of yours, or several of them.
      run_dir: where the run lives; None: `runs/` and the recipe's name.
      bind: statements of gin such as "natural_gradient_step.step_size = 0.5".
      modules, trust: as `load`.
      strategy: of this machine's devices; None: one device.
      restart: start anew, and remove what the run directory holds of a run.
      progress: whether to show a bar.
      **knobs: the recipe's macros, such as `total_steps`, `batch_size` and `seed`.

    Returns:
      The run at its last step.

    Raises:
      ConfigurationError: for what cannot work, before anything is trained.
      BadDataError: data or a checkpoint that cannot be read.
      DivergedError: the training did.
      PreemptedError: it was interrupted, and saved; the same call goes on.
    """
    names = [recipe_name] if isinstance(recipe_name, str) else list(recipe_name)
    statements = [f"{name} = {_literal(name, value)}" for name, value in knobs.items()]
    scanned = recipe.read(names, [*bind, *statements], modules)
    default = Path("runs", recipe_files.find(names[0]).stem)
    directory = RunDirectory(Path(run_dir).expanduser() if run_dir else default)
    refreshed = reporting.refreshed(directory, modules)
    with Interruption() as interruption, refreshed, directory.writing():
        config = bindings.apply(scanned, modules, trust)
        lifecycle.train(
            lifecycle.build(strategy, announce=progress),
            directory,
            directory.named(config, scanned.files[0]),
            progress=progress,
            restart=restart,
            interruption=interruption,
        )
    return TrainingRun(directory, modules=modules, trust=trust)


def _literal(name: str, value: Any) -> str:
    """A value as gin reads it.

    Raises:
      ConfigurationError: it cannot be written in a gin file.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float | str | list | tuple | None):
        raise ConfigurationError(
            f"{name} is a {type(value).__name__}, which a recipe cannot say: give a "
            "number, a text, None or a list, or say it in gin with bind"
        )
    return repr(value)
