"""The input alone, and the whole loop with its logging beside the bare step."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from logan_tf.benchmarks import variants
from logan_tf.benchmarks.timing import Tick, Timing
from logan_tf.data.batch import Batch
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep
from logan_tf.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]
"""(directory, total_steps, sample_every, sample) → the trainer of the recipe."""

_WARM = 2  # segments: the first call traces, the second finds its length
_SECONDS = 2.0  # of a segment, so that host calls have the length they have in a run


class Loop(NamedTuple):
    """Seconds of one step: whole, without input and logging, and of the input alone."""

    loop: Timing
    bare: Timing
    input: Timing


def measure(
    experiment: Experiment,
    strategy: tf.distribute.Strategy,
    make_trainer: MakeTrainer,
    *,
    repeats: int,
    tick: Tick,
) -> dict[str, Any]:
    """Trains as bin/train does, and stops now and then to time the bare step.

    Args:
      experiment: of the recipe, with its data.
      strategy: that of the experiment.
      make_trainer: makes the recipe's trainer, sampling and evaluation left out.
      repeats: segments of training that are timed.
      tick: called `repeats + 2` times.

    Returns:
      The three `Timing`s of `Loop` as dicts; `loop_over_bare`, the ratio of the
      medians; `input_images_per_second` and `needed_images_per_second`.

    Raises:
      ConfigurationError, BadDataError: if there is no data.
    """
    bare = _Bare(experiment, strategy)
    steps = max(1, round(_SECONDS / bare.seconds(1)))
    seconds: dict[str, list[float]] = {"loop": [], "bare": [], "input": []}
    batches = iter(experiment.batches())
    next(batches)
    ended = time.perf_counter()

    def pause(step: int, _: object) -> None:
        nonlocal ended
        if not step:  # Training begins with a drawing.
            ended = time.perf_counter()
            return
        seconds["loop"].append(time.perf_counter() - ended)
        seconds["bare"].append(bare.seconds(steps))
        seconds["input"].append(_read(batches, steps))
        tick()
        ended = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder) / "run")
        directory.path.mkdir()
        trainer = make_trainer(
            directory,
            total_steps=steps * (repeats + _WARM),
            sample_every=steps,
            sample=pause,
        )
        trainer.open_data()
        trainer.train(text="", progress=False)
    timings = {n: Timing.of(times[_WARM:]).per(steps) for n, times in seconds.items()}
    return _summary(Loop(**timings), steps, experiment)


def _summary(loop: Loop, steps: int, experiment: Experiment) -> dict[str, Any]:
    images = experiment.batch_size * experiment.images_per_step
    return {
        **{name: timing._asdict() for name, timing in loop._asdict().items()},
        "steps_in_a_segment": steps,
        "loop_over_bare": loop.loop.median / loop.bare.median,
        "input_images_per_second": images / loop.input.median,
        "needed_images_per_second": images / loop.bare.median,
    }


class _Bare:
    """Steps on one batch of noise, many in one call as in training."""

    def __init__(
        self, experiment: Experiment, strategy: tf.distribute.Strategy
    ) -> None:
        step, batch = TrainStep(experiment, strategy), variants.noise(experiment)

        @tf.function
        def many(batch: Batch, number: tf.Tensor) -> tf.Tensor:
            row = step.one_step(batch)
            for _ in tf.range(number - 1):
                row = step.one_step(batch)
            return row

        self._many = lambda number: many(batch, tf.constant(number)).numpy()
        self._many(1)

    def seconds(self, number: int) -> float:
        started = time.perf_counter()
        self._many(number)
        return time.perf_counter() - started


def _read(batches: Iterator[Batch], number: int) -> float:
    started = time.perf_counter()
    for _ in range(number):
        next(batches)
    return time.perf_counter() - started
