"""What bin/evaluate does with --accuracy_score; resumable, for it may take days."""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from logan_tf import atomic_file, small_files
from logan_tf.cli.running import run_flags
from logan_tf.cli.running.interruption import Interruption
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs import run_lock
from logan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from logan_tf.accuracy.accuracy_score import Measured
    from logan_tf.cli.running.lifecycle import Run
    from logan_tf.evaluation.receipts import MetricValues, Receipt

FLAGS = flags.FLAGS
flags.DEFINE_bool(
    "accuracy_score",
    False,
    "Instead of the recipe's protocol: the accuracy on real held-out images of a "
    "classifier that learned from samples. The same command resumes it.",
)
flags.DEFINE_bool(
    "real_control",
    False,
    "Real held-out examples judged by the same protocol, beside the samples. With "
    "--accuracy_score: the same classifier's that learned from the real images.",
)
flags.DEFINE_string(
    "work_dir",
    None,
    "Where its training set and classifier lie meanwhile; None: in the run. A fast "
    "local disk serves best.",
)


def require_flags() -> None:
    """Raises ConfigurationError for flags that do not go together."""
    if not FLAGS.accuracy_score:
        if FLAGS.work_dir:
            raise ConfigurationError("--work_dir belongs to --accuracy_score")
    elif FLAGS.num_samples is not None or FLAGS.seeds != 1:
        raise ConfigurationError(
            "--accuracy_score draws as many samples as there are training images, "
            "once: give it without --num_samples and --seeds"
        )


def main(run: "Run", directory: RunDirectory, step: int) -> None:
    """Measures a restored run, writes what is found down and prints a table."""
    from logan_tf.cli.running import lifecycle
    from logan_tf.evaluation import receipts

    score = run.evaluator.accuracy_score
    if score is None:
        raise ConfigurationError(
            "this run's recipe does not say what its classifier is: add "
            "--gin_file=parts/accuracy_digits.gin, or another part's"
        )
    work_dir = Path(FLAGS.work_dir or directory.accuracy_score)
    with _working_in(work_dir), Interruption():
        score.prepare(run.experiment.averaged_generator)
        settings = run_flags.settings(run.evaluator.latent_steps)
        sampler, weights = run.evaluator.settled(settings)
        receipt = receipts.Receipt(
            **score.measured_with(),
            seed=settings.seed,
            recipe=directory.recipe(),
            checkpoint_step=step,
            **weights,
        )
        measure = partial(score.of_samples, sampler, settings)
        path = lifecycle.evaluation_path(run, directory, step, settings, "-accuracy")
        path = receipts.own_path(path, receipt, unknown=["classifier_weights"])
        columns = {f"step {step}": _measured(path, receipt, work_dir, measure)}
        if FLAGS.real_control:
            real = receipts.Receipt(
                **score.measured_with(), seed=0, subject="real data"
            )
            control = directory.evaluations / "real-accuracy.json"
            control = receipts.own_path(control, real, unknown=["classifier_weights"])
            columns["real data"] = _measured(
                control, real, work_dir, score.of_real_images
            )
    print(f"{receipt.protocol}, {receipt.num_samples:,} training images")
    print(receipts.format_table(receipts.rows(columns)))
    print(path)


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Makes the folder and holds its lock: two commands would write the same files."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(run_lock.held(folder))
        except OSError as error:
            raise ConfigurationError(
                f"cannot write to {folder} ({error.strerror}): give another --work_dir"
            ) from error
        yield


def _measured(
    path: Path,
    receipt: "Receipt",
    work_dir: Path,
    measure: Callable[[Path], "Measured"],
) -> "MetricValues":
    """The metrics of the file, if it has this receipt, or measured and written there.

    Args:
      path: of the evaluation.
      receipt: without the hash of what the classifier learns.
      work_dir: in it lies what an interrupted measurement goes on from.
      measure: in a folder of its own.
    """
    from logan_tf.evaluation import receipts

    with contextlib.suppress(ConfigurationError, BadDataError):
        there = receipts.read_evaluation(path)
        if dataclasses.replace(there.receipt, classifier_weights=None) == receipt:
            print(f"{path} says so already: remove it to measure again")
            return there.metrics
    folder = work_dir / path.stem
    _claim(folder, receipt)
    metrics, weights = measure(folder)
    receipts.write_evaluation(
        path, dataclasses.replace(receipt, classifier_weights=weights), metrics
    )
    shutil.rmtree(folder)
    return metrics


def _claim(folder: Path, receipt: "Receipt") -> None:
    """Empties a folder of what another checkpoint, setting or seed left there."""
    text = json.dumps(dataclasses.asdict(receipt), indent=2) + "\n"
    claim = folder / "receipt.json"
    if claim.is_file() and small_files.read_bytes(claim) == text.encode():
        return
    shutil.rmtree(folder, ignore_errors=True)
    atomic_file.write_text(claim, text)
