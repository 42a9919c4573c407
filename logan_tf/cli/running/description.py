"""What bin/train --dry_run prints: the configuration, and what training it takes."""

from collections.abc import Iterator, Sequence

from logan_tf.cli.running import lifecycle
from logan_tf.training import cost
from logan_tf.training.experiment import Experiment

_RATES = (100.0, 1_000.0, 10_000.0)


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
    run = lifecycle.build()
    experiment = run.experiment
    experiment.require_replicas(num_replicas)
    print("tracing the step, minutes for large networks", flush=True)
    measured = cost.measure(experiment, run.strategy, num_replicas)
    print(config)
    for what, number, note in (
        *_cost_rows(experiment, measured, num_replicas),
        *_time_rows(experiment, total_steps, rates),
    ):
        print(f"{what:<20}{number:>14} {note}")


def _cost_rows(
    experiment: Experiment, measured: cost.Cost, num_replicas: int
) -> Iterator[tuple[str, str, str]]:
    size = experiment.batch_size
    yield "generator", f"{measured.generator_parameters:,}", "parameters"
    yield "discriminator", f"{measured.discriminator_parameters:,}", "parameters"
    billions = measured.operations / 1e9
    each = f"({billions / size:.3f} an image at batch {size})"
    yield "one step", f"{billions:,.2f}", f"GFLOP {each}"
    state, peak = measured.replica_state / 2**30, measured.replica_peak / 2**30
    at_once = size // num_replicas // experiment.accumulation
    shares = f"{state:.2f} of variables, {peak:.2f} for {at_once:,} images at a time"
    where = f"on each of {num_replicas:,} replicas" if num_replicas > 1 else "in all"
    note = f"GiB {where}, estimated: {shares}"
    yield "memory", f"{state + peak:,.2f}", note


def _time_rows(
    experiment: Experiment, total_steps: int, rates: Sequence[float]
) -> Iterator[tuple[str, str, str]]:
    per_image = experiment.images_per_step
    for rate in rates:
        minutes = total_steps * experiment.batch_size / rate / 60
        unit, time = ("hours", minutes / 60) if minutes >= 60 else ("minutes", minutes)
        note = (
            f"{unit} for {total_steps:,} steps, if the data come at "
            f"{per_image * rate:,g} images/s"
        )
        yield f"at {rate:,g} images/s", f"{time:,.1f}", note
