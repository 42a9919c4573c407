"""What bin/evaluate judges besides a run's samples: real and untrained, and others'."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from logan_tf.cli.evaluating import accuracy
from logan_tf.cli.running import run_flags
from logan_tf.data.preparation import folders
from logan_tf.errors import ConfigurationError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from logan_tf.cli.running.lifecycle import Run
    from logan_tf.evaluation.receipts import MetricValues, Receipt

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(accuracy)
flags.DEFINE_bool(
    "untrained",
    False,
    "Samples of the generator as it was before its first step, beside the samples.",
)
flags.DEFINE_string(
    "images",
    None,
    "Instead of the run's samples: a folder of pictures by anybody, judged by the "
    "run's protocol.",
)

Found = list[tuple[str, Path | None, "MetricValues"]]
"""Name of a column, the file that was written, and the metrics."""


def beside(
    run: "Run", directory: RunDirectory, receipt: "Receipt", settings: SamplingSettings
) -> Found:
    """Judges what the flags, or the protocol, set beside samples.

    Args:
      run: whose samples were judged.
      directory: of the run.
      receipt: of the samples.
      settings: of the samples.
    """
    found = []
    if FLAGS.untrained:
        found.append(_untrained(directory, receipt, settings))
    protocol = run.evaluator.protocol
    assert protocol is not None  # or nothing would have been measured
    if FLAGS.real_control or protocol.has_quick_control:
        found.append(_held_out(run, directory, receipt, written=FLAGS.real_control))
    return found


def _held_out(
    run: "Run", directory: RunDirectory, receipt: "Receipt", *, written: bool
) -> tuple[str, Path | None, "MetricValues"]:
    control, found = run.evaluator.evaluate_held_out(
        num_samples=receipt.num_samples, seed=receipt.seed
    )
    assert run.evaluator.protocol is not None  # as `beside` has made sure
    if doubt := run.evaluator.protocol.doubts(control.num_samples, found):
        print(f"warning: {doubt}", file=sys.stderr)
    path = _write(directory, "real-control", control, found) if written else None
    return f"{control.num_samples:,} held out", path, found


def _untrained(
    directory: RunDirectory, receipt: "Receipt", settings: SamplingSettings
) -> tuple[str, Path | None, "MetricValues"]:
    from logan_tf.cli.running import lifecycle

    # Built anew: a restored run has forgotten what it began with.
    control, found = lifecycle.build().evaluator.evaluate(
        settings, num_samples=receipt.num_samples, subject="untrained generator"
    )
    return "untrained", _write(directory, "untrained", control, found), found


def pictures(run: "Run", directory: RunDirectory) -> tuple["Receipt", Found]:
    """Judges the pictures of --images."""
    from logan_tf.data.preparation import reading

    folder = Path(FLAGS.images)
    listing = folders.find(folder)
    print("\n".join([f"{folder}: {len(listing.names):,} pictures", *listing.notes]))
    shape = run.experiment.dataset.shape
    receipt, found = run.evaluator.evaluate_pictures(
        reading.parts(folder, listing, shape),
        f"pictures of {folder.name}",
        num_samples=FLAGS.num_samples,
        seed=FLAGS.seed,
    )
    name = re.sub(r"\W+", "-", folder.name)
    path = _write(directory, f"images-{name}", receipt, found)
    return receipt, [(folder.name, path, found)]


def require_flags() -> None:
    """Raises ConfigurationError for flags that do not go together."""
    modes = [n for n in ("curve", "neighbors", "accuracy_score") if FLAGS[n].value]
    control = [n for n in ("untrained", "real_control") if FLAGS[n].value]
    if FLAGS.accuracy_score and "real_control" in control:
        control.remove("real_control")
    if control and modes:
        raise ConfigurationError(
            f"--{control[0]} stands beside an evaluation: leave out --{modes[0]}"
        )
    if not FLAGS.images:
        return
    of_samples = ("seeds", *run_flags.OF_SAMPLES)
    others = [n for n in of_samples if not FLAGS[n].using_default_value]
    if others := [*modes, *(n for n in control if n == "untrained"), *others]:
        raise ConfigurationError(
            f"--images are judged instead of samples: leave out --{others[0]}"
        )


def _write(
    directory: RunDirectory, name: str, receipt: "Receipt", found: "MetricValues"
) -> Path:
    from logan_tf.evaluation import receipts

    directory.evaluations.mkdir(exist_ok=True)
    path = receipts.own_path(directory.evaluations / f"{name}.json", receipt)
    receipts.write_evaluation(path, receipt, found)
    return path
