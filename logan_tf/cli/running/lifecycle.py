"""What the commands do with a run, once its configuration is known to gin."""

import contextlib
import difflib
import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gin
import matplotlib.image
import numpy as np
import tensorflow as tf

from logan_tf import atomic_file, small_files
from logan_tf.cli.running import memory, spectra
from logan_tf.cli.running.interruption import Interruption
from logan_tf.configuration import bindings, reach, recipe
from logan_tf.errors import BadDataError, CollapsedError, ConfigurationError
from logan_tf.evaluation.evaluator import Evaluator
from logan_tf.evaluation.receipts import (
    MetricValues,
    Receipt,
    own_path,
    read_evaluation,
    write_evaluation,
)
from logan_tf.plots import samples as sample_pictures
from logan_tf.runs.collapse import Quality
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling.sampler import Samples
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.training import initialization
from logan_tf.training.checkpoints import Checkpoints
from logan_tf.training.experiment import Experiment
from logan_tf.training.monitor import Monitor
from logan_tf.training.strategy import io_device, is_chief
from logan_tf.training.trainer import Trainer

_FIXED_LATENTS = 64  # drawn again and again while training
_LEAST_DEVIATION = 1e-3  # of the samples' most variable number; pictures span [-1, 1]


class Run(NamedTuple):
    """A run's parts, built from the configuration."""

    experiment: Experiment
    evaluator: Evaluator
    strategy: tf.distribute.Strategy


def build(strategy: tf.distribute.Strategy | None = None, announce: bool = True) -> Run:
    """Builds what gin's configuration describes.

    Args:
      strategy: that trains it; None: one device.
      announce: whether to print that it takes a while.

    Raises:
      ConfigurationError: if its parts do not fit together.
    """
    strategy = strategy or tf.distribute.get_strategy()
    if announce:
        print("building the networks: seconds, a minute for large ones", flush=True)
    with bindings.building(), strategy.scope(), memory.networks_that_fit():
        experiment = gin.get_configurable(Experiment)()
        return Run(experiment, gin.get_configurable(Evaluator)(experiment), strategy)


def train(
    run: Run,
    directory: RunDirectory,
    config: str,
    progress: bool = True,
    restart: bool = False,
    interruption: Interruption | None = None,
    init_from: RunDirectory | None = None,
) -> None:
    """Trains, resuming where the directory holds a checkpoint.

    Nothing is written or removed before all that can be refused has been.

    Args:
      run: just built.
      directory: of the run; this process alone writes to it.
      config: the whole configuration.
      progress: whether to show a bar.
      restart: whether to remove what the directory holds of a run.
      interruption: watches for signals.
      init_from: a run whose weights a new run starts from. One that has checkpoints
        goes on from these, if it began with that run's weights, or is refused.

    Raises:
      ConfigurationError, BadDataError, DivergedError, PreemptedError: as they say.
    """
    interruption = interruption or Interruption()
    chief = is_chief(run.strategy)
    trainer = _trainer(run, directory)
    if not restart:
        if chief:
            _report_changes(directory, config)
        trainer.restore()
    resumes = bool(trainer.checkpoints.steps()) and not restart
    origin = _initialized(run, directory, init_from, resumes)
    trainer.open_data()
    if chief:
        protocol = run.evaluator.protocol
        if protocol is not None and trainer.hooks.evaluates:
            protocol.prepare()
        if restart:
            directory.clear()
        if resumes and trainer.step > trainer.total_steps:
            # What was not trained with is not what the run is known by.
            print(
                f"nothing to train: the run has {trainer.step:,} steps, total_steps is "
                f"{trainer.total_steps:,}; its configuration stays as it was"
            )
        else:
            write_beginning(directory, config, origin)
    with memory.enough_for(run.experiment.batch_size), interruption.finishing():
        trainer.train(
            text=gin.markdown(config),
            progress=progress,
            knobs=recipe.macros_of(config),
            stop=lambda: interruption.requested,
        )


def _initialized(
    run: Run, directory: RunDirectory, source: RunDirectory | None, resumes: bool
) -> dict[str, Any] | None:
    """Takes another run's weights where a new run begins; says where they came from."""
    if source is None:
        return None
    if resumes:
        initialization.require_same_source(directory, source)
        return None
    device = io_device(run.strategy)
    return initialization.initialize(run.experiment, source, io_device=device)


def _trainer(run: Run, directory: RunDirectory) -> Trainer:
    evaluates = run.evaluator.protocol is not None
    with bindings.building():
        return gin.get_configurable(Trainer)(
            run.experiment,
            run.strategy,
            directory,
            sample=partial(_draw, run, directory),
            evaluate=partial(_judge, run, directory) if evaluates else None,
            spectrum=spectra.hook(run.experiment, directory),
        )


def write_beginning(
    directory: RunDirectory, config: str, origin: dict[str, Any] | None = None
) -> None:
    """Sweeps, and writes down what is trained and from which weights."""
    for name in directory.sweep():
        print(f"removed {name}, which an interrupted process had not finished")
    if origin is not None:
        text = json.dumps(origin, indent=1) + "\n"
        atomic_file.write_text(directory.initialization, text)
        print(f"the weights are those of {origin['run']} after {origin['step']} steps")
    atomic_file.write_text(directory.config, config)
    atomic_file.write_text(directory.operative_config, reach.operative(config))


def restore(
    directory: RunDirectory, which: str, announce: bool = True
) -> tuple[Run, int]:
    """Builds a run and restores one of its checkpoints.

    Args:
      directory: of the run.
      which: "latest", "best" or a step.
      announce: as `build`.

    Returns:
      The run and the checkpoint's step.
    """
    run = build(announce=announce)
    step = tf.Variable(0, dtype=tf.int64)
    return run, Checkpoints(directory.checkpoints, run.experiment, step).restore(which)


def evaluation_path(
    run: Run,
    directory: RunDirectory,
    step: int,
    settings: SamplingSettings,
    kind: str = "",
    *,
    num_samples: int | None = None,
    num_seeds: int = 1,
) -> Path:
    """Where an evaluation lies: its name says what differs from the protocol's own.

    `receipts.own_path` adds what else differs from a file that is there.

    Args:
      kind: of the file, such as "-curve-truncation"; none for an evaluation itself.
      run, directory, step, settings, num_samples, num_seeds: as `evaluate`.
    """
    own = run.evaluator.protocol.num_samples if run.evaluator.protocol else None
    parts = {
        "latent": settings.latent_steps,
        "truncation": settings.truncation if settings.truncation != 1 else 0,
        "seed": settings.seed,
        "seeds": num_seeds if num_seeds != 1 else 0,
        "samples": num_samples if num_samples != own else None,
    }
    variant = "".join(f"-{name}{value}" for name, value in parts.items() if value)
    return directory.evaluation_path(step, f"{kind}{variant}")


def evaluate(
    run: Run,
    directory: RunDirectory,
    step: int,
    settings: SamplingSettings | None = None,
    reuse: bool = False,
    **extent: Any,
) -> tuple[Path, Receipt, MetricValues]:
    """Judges a restored run and writes the numbers down with their receipt.

    Args:
      run: restored.
      directory: of the run.
      step: of the checkpoint.
      settings: of the samples; None: the recipe's.
      reuse: whether to take the numbers of a file that has the very same receipt.
      **extent: num_samples and num_seeds, as `Evaluator.evaluate` has them.

    Returns:
      The file that was written, the receipt and the metrics.
    """
    settings = settings or run.evaluator.settings()
    path = evaluation_path(run, directory, step, settings, **extent)
    subject = extent | {"checkpoint_step": step, "recipe": directory.recipe()}
    if reuse and path.is_file():
        receipt = run.evaluator.receipt(settings, **subject)
        own = own_path(path, receipt)
        with contextlib.suppress(BadDataError, ConfigurationError):
            found = read_evaluation(own)
            if found.receipt == receipt:
                return own, found.receipt, found.metrics
    receipt, metrics = run.evaluator.evaluate(settings, **subject)
    path = own_path(path, receipt)
    path.parent.mkdir(exist_ok=True)
    write_evaluation(path, receipt, metrics)
    return path, receipt, metrics


def _report_changes(directory: RunDirectory, config: str) -> None:
    """Shows how the configuration differs from that which the run was started with."""
    if not directory.exists():
        return
    before = small_files.read_text(directory.config, errors="replace").splitlines()
    difference = [
        line
        for line in difflib.unified_diff(before, config.splitlines(), n=0, lineterm="")
        if line[:1] in "+-" and line[:3] not in ("+++", "---") and line[1:].strip()
    ]
    if difference:
        print("the configuration changed since the run was started:")
        print("\n".join(difference))


def _draw(run: Run, directory: RunDirectory, step: int, monitor: Monitor) -> None:
    """The fixed latents' samples as a PNG and on TensorBoard."""
    path = directory.sample_path(step)
    path.parent.mkdir(exist_ok=True)
    sample_pictures.save(path, _varied_samples(run, step), run.evaluator.points())
    pixels = matplotlib.image.imread(path)[..., :3]
    monitor.image(step, "samples", np.round(255 * pixels).astype(np.uint8))


def _judge(run: Run, directory: RunDirectory, step: int, monitor: Monitor) -> Quality:
    """The protocol's metrics as a file and on TensorBoard; returns its criterion."""
    _varied_samples(run, step)
    _, _, found = evaluate(run, directory, step)
    monitor.evaluation(step, {name: metric["value"] for name, metric in found.items()})
    assert run.evaluator.protocol is not None  # or nothing would be evaluated
    criterion = run.evaluator.protocol.plotted[0]
    return Quality(criterion, float(found[criterion]["value"]))


def _varied_samples(run: Run, step: int) -> Samples:
    """The fixed latents' samples; raises CollapsedError if they are all alike."""
    settings = run.evaluator.settings(run.experiment.seed)
    samples = run.evaluator.sample(_FIXED_LATENTS, settings)
    if step and np.std(samples.images, axis=0).max() < _LEAST_DEVIATION:
        raise CollapsedError(
            f"step {step}: the samples do not differ from each other any more: lower "
            "generator_rate and discriminator_rate"
        )
    return samples
