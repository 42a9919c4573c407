"""make quickstart: trains LOGAN on stacked digits and counts the modes it found."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from logan_tf import quantities
from logan_tf.cli import app
from logan_tf.cli.running import reporting
from logan_tf.cli.running.interruption import Interruption
from logan_tf.configuration import recipe
from logan_tf.installation import RECEIPTS, as_typed
from logan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from logan_tf.cli.running.lifecycle import Run
    from logan_tf.evaluation.receipts import MetricValues, Receipt

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", "runs/quickstart", "Where the run lives.")
flags.DEFINE_multi_string("gin_param", [], "A statement such as 'total_steps = 100'.")

_RECIPE = "stacked_digits_logan"
BASELINE = RECEIPTS / "stacked_digits_baseline.json"
"""What `make baseline` measured: the same training without the latent step."""


def main() -> None:
    """Trains (or resumes), then prints the table and where everything lies."""
    started = time.perf_counter()
    directory = RunDirectory(FLAGS.run_dir)
    scanned = recipe.read([_RECIPE], FLAGS.gin_param, [])
    refreshed = reporting.refreshed(directory)
    with Interruption() as interruption, refreshed, directory.writing():
        _run(scanned, directory, interruption)
    print(f"\n{time.perf_counter() - started:.0f} seconds in all")


def _run(
    scanned: recipe.Recipe, directory: RunDirectory, interruption: Interruption
) -> None:
    """Trains, evaluates, and says what came out."""
    app.import_tensorflow()
    from logan_tf.cli.running import lifecycle
    from logan_tf.configuration import bindings

    config = bindings.apply(scanned, [])
    run = lifecycle.build()
    _, untrained = run.evaluator.evaluate(subject="untrained generator")
    print(f"training in {directory.path}: about two minutes on two cores", flush=True)
    config = directory.named(config, scanned.files[0])
    lifecycle.train(run, directory, config, interruption=interruption)
    run, step = lifecycle.restore(directory, "latest")
    path, receipt, metrics = lifecycle.evaluate(run, directory, step)
    _print_table(run, receipt, metrics, untrained)
    _name_files(directory, path, step)


def _row(name: str, metrics: "MetricValues") -> dict[str, str | int | float]:
    columns = [each for each in metrics if quantities.find(each).group == "modes"]
    shown = [*columns, "fid_digits"]
    return {"": name} | {column: metrics[column]["value"] for column in shown}


def _print_table(
    run: "Run", receipt: "Receipt", metrics: "MetricValues", untrained: "MetricValues"
) -> None:
    """The run beside the baseline's receipt, its own start and real data."""
    from logan_tf.evaluation import receipts

    baseline = receipts.read_evaluation(BASELINE)
    receipts.require_comparable(receipt, baseline.receipt)
    step = f"step {baseline.receipt.checkpoint_step:,} (receipt)"
    rows = [
        _row(f"LOGAN (NGD), step {receipt.checkpoint_step:,}", metrics),
        _row(f"baseline, {step}", baseline.metrics),
        _row("untrained generator", untrained),
    ]
    _, held_out = run.evaluator.evaluate_held_out()
    rows.append(_row("real held-out digits", held_out))
    print(
        f"\nModes of 1,000 among {receipt.num_samples:,} samples, read by a digit "
        f"classifier that is right on\n{receipt.classifier_accuracy:.1%} of held-out "
        "digits (confident: at .9 or more for each digit):\n"
    )
    print(receipts.format_table(rows))


def _name_files(directory: RunDirectory, evaluation: Path, step: int) -> None:
    tensorboard = Path(sys.executable).with_name("tensorboard")
    print(f"\nreport       {directory.report}")
    print(f"samples      {directory.sample_path(step)}")
    print(f"numbers      {evaluation}")
    print(f"baseline     {_here(BASELINE)} (regenerate it with `make baseline`)")
    print(f"curves       {_here(tensorboard)} --logdir={directory.events}")
    sample = as_typed(f"bin/sample --run_dir={directory.path} --output=grid.png")
    print(f"more samples {sample}")


def _here(path: Path) -> Path:
    """The path as one types it from here, where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    app.run(main, __doc__ or "")
