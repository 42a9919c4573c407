"""What the commands do with a run, once its configuration is known to gin."""

import difflib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import gin
import matplotlib.image
import numpy as np
import tensorflow as tf

from logan_tf import atomic_file
from logan_tf.cli import configuration, memory
from logan_tf.errors import CollapsedError
from logan_tf.evaluation.evaluator import Evaluator
from logan_tf.evaluation.receipts import Metrics, Receipt, write_evaluation
from logan_tf.training import cost
from logan_tf.training.checkpoints import Checkpoints
from logan_tf.training.experiment import Experiment
from logan_tf.training.interruption import Interruption
from logan_tf.training.monitor import Monitor
from logan_tf.training.run_directory import RunDirectory
from logan_tf.training.strategy import is_chief, require_divisible
from logan_tf.training.trainer import Trainer

_RATES = (100.0, 1_000.0, 10_000.0)
_FIXED_LATENTS = 64  # drawn again and again while training
_LEAST_DEVIATION = 1e-3  # of the samples' most variable number; pictures span [-1, 1]


class Run(NamedTuple):
    """A run's parts, built from the configuration."""

    experiment: Experiment
    evaluator: Evaluator
    strategy: tf.distribute.Strategy


def build(strategy: tf.distribute.Strategy | None = None) -> Run:
    """Builds what gin's configuration describes.

    Args:
      strategy: that trains it; None: one device.

    Raises:
      ConfigurationError: if its parts do not fit together.
    """
    strategy = strategy or tf.distribute.get_strategy()
    with configuration.building(), strategy.scope():
        experiment = gin.get_configurable(Experiment)()
        return Run(experiment, gin.get_configurable(Evaluator)(experiment), strategy)


def train(
    run: Run,
    directory: RunDirectory,
    config: str,
    progress: bool = True,
    restart: bool = False,
    interruption: Interruption | None = None,
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

    Raises:
      ConfigurationError, BadDataError, DivergedError, PreemptedError: as they say.
    """
    interruption = interruption or Interruption()
    protocol = run.evaluator.protocol
    chief = is_chief(run.strategy)
    with configuration.building():
        trainer = gin.get_configurable(Trainer)(
            run.experiment,
            run.strategy,
            directory,
            sample=partial(_draw, run, directory),
            evaluate=partial(_judge, run, directory) if protocol else None,
        )
    if not restart:
        if chief:
            _report_changes(directory, config)
        trainer.restore()
    trainer.open_data()
    if chief:
        if protocol is not None and trainer.evaluates:
            protocol.prepare()
        if restart:
            directory.clear()
        for name in directory.sweep():
            print(f"removed {name}, which an interrupted process had not finished")
        atomic_file.write_text(directory.config, config)
        atomic_file.write_text(directory.operative_config, gin.operative_config_str())
    with memory.enough_for(run.experiment.batch_size), interruption.finishing():
        trainer.train(
            text=gin.markdown(config),
            progress=progress,
            stop=lambda: interruption.requested,
        )


def restore(directory: RunDirectory, which: str) -> tuple[Run, int]:
    """Builds a run and restores one of its checkpoints.

    Args:
      directory: of the run.
      which: "latest" or a step.

    Returns:
      The run and the checkpoint's step.
    """
    run = build()
    step = tf.Variable(0, dtype=tf.int64)
    return run, Checkpoints(directory.checkpoints, run.experiment, step).restore(which)


def describe(
    config: str,
    total_steps: int,
    num_replicas: int = 1,
    rates: Sequence[float] = _RATES,
) -> None:
    """Prints the configuration, the networks' sizes and what training takes.

    Args:
      config: the whole configuration.
      total_steps: of the training.
      num_replicas: that share the batch, as far as is known without asking other
        machines.
      rates: images a second, as `images_per_second` in the metrics, to reckon with.

    Raises:
      ConfigurationError: if the replicas do not divide the batch.
    """
    run = build()
    experiment = run.experiment
    require_divisible(experiment.batch_size, num_replicas, experiment.accumulation)
    measured = cost.measure(experiment, run.strategy, num_replicas)
    print(config)
    print(f"generator      {measured.generator_parameters:>14,} parameters")
    print(f"discriminator  {measured.discriminator_parameters:>14,} parameters")
    size = experiment.batch_size
    print(
        f"one step       {measured.operations / 1e9:>14,.2f} GFLOP "
        f"({measured.operations / size / 1e9:.3f} an image at batch {size})"
    )
    at_once = size // num_replicas // experiment.accumulation
    state, peak = (x / 2**30 for x in (measured.replica_state, measured.replica_peak))
    print(
        f"memory         {state + peak:>14,.2f} GiB a replica: {state:.2f} of variables, "
        f"{peak:.2f} for {at_once:,} images at a time ({num_replicas:,} replicas; an "
        "estimate)"
    )
    real = experiment.schedule.images_per_step
    for rate in rates:
        hours = total_steps * size / rate / 3600
        print(
            f"{f'at {rate:,g} images/s':<15}{hours:>14,.1f} hours for {total_steps:,} "
            f"steps; the data must bring {real * rate:,g} images/s"
        )


def variant(receipt: Receipt, num_samples: int) -> str:
    """What tells an evaluation's file from that of the protocol's own settings."""
    parts = {
        "latent": receipt.latent_steps,
        "truncation": receipt.truncation if receipt.truncation != 1 else 0,
        "seed": receipt.seed,
        "seeds": receipt.num_seeds if receipt.num_seeds != 1 else 0,
        "samples": receipt.num_samples if receipt.num_samples != num_samples else 0,
    }
    return "".join(f"-{name}{value}" for name, value in parts.items() if value)


def evaluate(
    run: Run,
    directory: RunDirectory,
    step: int,
    *,
    num_samples: int | None = None,
    seed: int = 0,
    num_seeds: int = 1,
    latent_steps: int | None = None,
    truncation: float = 1.0,
) -> tuple[Path, Receipt, Metrics]:
    """Judges a restored run and writes the numbers down with their receipt.

    Args:
      run: restored.
      directory: of the run.
      step: of the checkpoint.
      num_samples, seed, num_seeds, latent_steps, truncation: as `Evaluator.evaluate`.

    Returns:
      The file that was written, the receipt and the metrics.
    """
    receipt, metrics = run.evaluator.evaluate(
        num_samples=num_samples,
        seed=seed,
        num_seeds=num_seeds,
        latent_steps=latent_steps,
        truncation=truncation,
        checkpoint_step=step,
        recipe=directory.recipe(),
    )
    protocol = run.evaluator.protocol
    assert protocol is not None  # or there would be no receipt
    path = directory.evaluation_path(step, variant(receipt, protocol.num_samples))
    path.parent.mkdir(exist_ok=True)
    write_evaluation(path, receipt, metrics)
    return path, receipt, metrics


def _report_changes(directory: RunDirectory, config: str) -> None:
    """Shows how the configuration differs from that which the run was started with."""
    if not directory.exists():
        return
    before = directory.config.read_text(encoding="utf-8").splitlines()
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
    samples = run.evaluator.sample(_FIXED_LATENTS, seed=run.experiment.seed)
    if step and np.std(samples.images, axis=0).max() < _LEAST_DEVIATION:
        raise CollapsedError(
            f"step {step}: the samples do not differ from each other any more: take an "
            "earlier checkpoint, and lower the learning rates"
        )
    run.evaluator.picture(path, samples)
    pixels = matplotlib.image.imread(path)[..., :3]
    monitor.image(step, "samples", np.round(255 * pixels).astype(np.uint8))


def _judge(run: Run, directory: RunDirectory, step: int, monitor: Monitor) -> None:
    """The protocol's metrics as a file and on TensorBoard."""
    _, _, found = evaluate(run, directory, step)
    monitor.evaluation(step, {name: metric["value"] for name, metric in found.items()})
