"""Whole training steps as StableHLO, to be compiled and timed wherever XLA runs."""

import json
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from logan_tf import atomic_file
from logan_tf.benchmarks import variants
from logan_tf.benchmarks.timing import Tick
from logan_tf.layers import replication
from logan_tf.programs import lowering
from logan_tf.programs.lowering import Program
from logan_tf.programs.names import names_of
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep

MANIFEST = "manifest.json"


def export(
    experiment: Experiment,
    strategy: tf.distribute.Strategy,
    names: Sequence[str],
    folder: Path,
    tick: Tick,
    steps: int = 1,
    replicas: int = 1,
) -> Path:
    """Writes `<variant>.stablehlo`, as text, for each variant, and `manifest.json`.

    The manifest has for each variant its `inputs` and `outputs` in order, each with
    name, shape and dtype; where an input is donated, `donated_to` is the number of the
    output that may take its memory.

    Args:
      experiment: of the recipe; nothing of it is changed.
      strategy: of one replica.
      names: of variants.
      folder: is made where it is missing.
      tick: called after each variant.
      steps: that a program takes, on as many batches.
      replicas: that share the batch; the program is one's, with sums over all.

    Returns:
      The manifest's path.

    Raises:
      ConfigurationError: if the folder cannot be made or TensorFlow has no XLA for it.
    """
    lowering.make_folder(folder, "stablehlo")
    manifest = {}
    for name in names:
        program = lower(variants.of(experiment, name), strategy, steps, replicas)
        path = folder / f"{name}.stablehlo"
        atomic_file.write_text(path, program.text)
        manifest[name] = program.entry(path.name)
        tick()
    path = folder / MANIFEST
    atomic_file.write_text(path, json.dumps(manifest, indent=1) + "\n")
    return path


def lower(
    experiment: Experiment,
    strategy: tf.distribute.Strategy,
    steps: int = 1,
    replicas: int = 1,
) -> Program:
    """One step of a batch of the recipe's shapes, or several; see `export`.

    Raises:
      ConfigurationError: for a batch that so many replicas cannot share.
    """
    experiment.require_replicas(replicas)
    step = TrainStep(experiment, strategy, False)
    batch = variants.noise(experiment, replicas)
    given = {name: x for name, x in batch._asdict().items() if tf.is_tensor(x)}
    if steps > 1:
        given = {name: tf.stack([x] * steps) for name, x in given.items()}
        given["count"] = tf.constant(steps)

    def take(*tensors: tf.Tensor) -> tf.Tensor:
        named = dict(zip(given, tensors, strict=True))
        count = named.pop("count", None)
        batches = batch._replace(**named)
        with replication.as_one_of(replicas):
            if count is None:
                return step.one_step(batches)
            return step.several_steps(batches, count)

    return lowering.lower(
        take,
        given,
        names_of(experiment, step.step),
        lambda: ["metrics: " + ", ".join(step.metric_names)],
        replicas,
    )
