"""The time of a step of each variant, and what share of it the algorithm needs."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from logan_tf.benchmarks import floor, timing, variants
from logan_tf.training import cost
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep


def compiled(
    experiment: Experiment, strategy: tf.distribute.Strategy, jit_compile: bool = False
) -> Callable[[], object]:
    """One training step on a fixed batch of noise, as a call that waits for its end."""
    # None lets TensorFlow decide, as training does.
    step = tf.function(
        TrainStep(experiment, strategy).one_step, jit_compile=jit_compile or None
    )
    experiment.require_replicas(strategy.num_replicas_in_sync)
    batch = variants.split(variants.noise(experiment), strategy)
    return lambda: step(batch).numpy()


def time_steps(
    experiment: Experiment,
    strategy: tf.distribute.Strategy,
    names: Sequence[str],
    *,
    repeats: int,
    jit_compile: bool,
    tick: timing.Tick,
) -> dict[str, dict[str, Any]]:
    """Times the variants in one process, interleaved.

    Args:
      experiment: whose networks all variants train.
      strategy: of one replica or more.
      names: of variants.
      repeats: measurements of each.
      jit_compile: whether XLA compiles the step.
      tick: called `len(names) * (repeats + 1)` times.

    Returns:
      By variant: `seconds`, a `Timing` as a dict, and `images_per_second`.
    """
    calls = {
        name: compiled(variants.of(experiment, name), strategy, jit_compile)
        for name in names
    }
    timings = timing.interleaved(calls, repeats, tick)
    return {
        name: {
            "seconds": measured._asdict(),
            "images_per_second": experiment.batch_size / measured.median,
        }
        for name, measured in timings.items()
    }


def count_operations(
    experiment: Experiment, strategy: tf.distribute.Strategy, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Counts each variant's step and sets it against the floor.

    Returns:
      By variant: `floor` in passes and in operations, the step's operations, and
      `work`: its convolutions and matrix products in units of the floor.
    """
    forward = cost.count_forward_pass(experiment)
    counted = {}
    for name in names:
        variant = variants.of(experiment, name)
        units = floor.of_step(variant.game, variant.schedule)
        least = units.operations(forward)
        saved = floor.shared_backward(variant.schedule) * forward.discriminator
        operations = cost.count_step(variant, strategy)
        counted[name] = {
            "floor": str(units),
            "floor_operations": least,
            "floor_with_shared_backward": least - saved,
            **operations._asdict(),
            "work": operations.products / least,
        }
    return counted
