"""bin/evaluate: judges a run by its recipe's protocol, and writes the numbers down."""

import dataclasses
from typing import TYPE_CHECKING, Any

from absl import flags

from logan_tf import atomic_file, progress
from logan_tf.cli import app
from logan_tf.cli.evaluating import accuracy, controls
from logan_tf.cli.running import reporting, run_flags
from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.evaluation import sweeps
from logan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from logan_tf.cli.running.lifecycle import Run
    from logan_tf.evaluation.receipts import Receipt

FLAGS = flags.FLAGS
flags.DEFINE_integer(
    "num_samples",
    None,
    "How many samples; None: the protocol's.",
    upper_bound=app.MOST,
)
flags.DEFINE_integer(
    "seeds",
    1,
    "How many evaluations, of the seeds from --seed on; 5 give intervals.",
    upper_bound=app.MOST,
)
flags.DEFINE_string(
    "compare", None, "An evaluation's file; a second one follows. Nothing is measured."
)
flags.DEFINE_string("with", None, "The second file.")
flags.DEFINE_multi_string("gin_file", [], "Read after the run's own configuration.")
flags.DEFINE_multi_string(
    "gin_param", [], "A statement after it, such as 'ClassifierTraining.epochs = 10'."
)

flags.DEFINE_enum(
    "curve", None, list(sweeps.DEFAULT_VALUES), "Evaluates along this setting instead."
)
flags.DEFINE_list("values", [], "Of the curve's setting; LOGAN's figures' by default.")
flags.DEFINE_integer(
    "neighbors",
    None,
    "Shows so many nearest training images of samples instead.",
    upper_bound=app.MOST,
)

FIRST = "with"

_NEIGHBORED = 12  # samples whose neighbors are shown, where --num_samples does not say


def main() -> None:
    """Writes `evaluations/step-….json` in the run directory and prints a table."""
    if FLAGS.compare is not None or FLAGS["with"].value is not None:
        _compare(FLAGS.compare, FLAGS["with"].value)
        return
    names = ("num_samples", "seeds", "neighbors")
    require_at_least(1, **{f"--{name}": FLAGS[name].value for name in names})
    if FLAGS.seed + FLAGS.seeds - 1 > app.MOST:
        raise ConfigurationError(
            f"--seed={FLAGS.seed} with --seeds={FLAGS.seeds} goes beyond {app.MOST}: "
            "lower one of them"
        )
    accuracy.require_flags()
    modes = [n for n in ("curve", "neighbors", "accuracy_score") if FLAGS[n].value]
    if len(modes) > 1:
        raise ConfigurationError(f"--{' or --'.join(modes)}: give one at a time")
    controls.require_flags()
    if FLAGS.values and FLAGS.curve is None:
        raise ConfigurationError(
            "--values are those of a curve: give --curve=latent_steps or "
            "--curve=truncation too"
        )
    if FLAGS.accuracy_score:
        accuracy.main(*_open())
    elif FLAGS.curve is not None:
        _curve(FLAGS.curve)
    elif FLAGS.neighbors is not None:
        _neighbors(FLAGS.neighbors)
    elif FLAGS.images is not None:
        _pictures()
    else:
        _evaluate()
    reporting.refresh(RunDirectory(FLAGS.run_dir), FLAGS.module)


def _open() -> tuple["Run", RunDirectory, int]:
    return run_flags.open_run(FLAGS.gin_file, FLAGS.gin_param)


def _extent() -> dict[str, Any]:
    return {"num_samples": FLAGS.num_samples, "num_seeds": FLAGS.seeds}


def _evaluate() -> None:
    run, directory, step = _open()
    from logan_tf.cli.running import lifecycle

    settings = run_flags.settings(run.evaluator.latent_steps)
    print(f"sampling from step {step}, and judging what comes", flush=True)
    path, receipt, metrics = lifecycle.evaluate(
        run, directory, step, settings, **_extent()
    )
    others = controls.beside(run, directory, receipt, settings)
    _print(receipt, [(f"step {step}", path, metrics), *others])


def _pictures() -> None:
    run, directory, _ = _open()
    _print(*controls.pictures(run, directory))


def _print(receipt: "Receipt", found: controls.Found) -> None:
    """A column each, and the files, the first one's last."""
    from logan_tf.evaluation import receipts

    print(_heading(receipt))
    columns = {name: metrics for name, _, metrics in found}
    print(receipts.format_table(receipts.rows(columns)))
    for _, path, _ in reversed(found):
        if path is not None:
            print(path)


def _curve(axis: str) -> None:
    """Every point is an evaluation with a file of its own, and is not made twice."""
    values = sweeps.checked_values(axis, FLAGS.values)
    if not FLAGS[axis].using_default_value:
        raise ConfigurationError(
            f"--curve={axis} goes along --{axis}: give --values instead of it"
        )
    opened_run = _open()
    from logan_tf.cli.running import lifecycle
    from logan_tf.evaluation import receipts
    from logan_tf.plots import sweep_plots

    sweep = _measured(axis, values, *opened_run)
    run, directory, step = opened_run
    settings = dataclasses.replace(
        run_flags.settings(run.evaluator.latent_steps),
        **{axis: 0 if axis == sweeps.LATENT_STEPS else 1.0},  # type: ignore[arg-type]
    )
    path = lifecycle.evaluation_path(
        run, directory, step, settings, f"-curve-{axis}", **_extent()
    )
    path = receipts.own_path(path, *(each.receipt for each in sweep.evaluations))
    sweeps.write(path, sweep)
    assert run.evaluator.protocol is not None  # or nothing would have been measured
    measured = sweep.evaluations[0].metrics
    plotted = [name for name in run.evaluator.protocol.plotted if name in measured]
    sweep_plots.plot(path.with_suffix(".png"), sweep, plotted)
    rows = [
        {axis: value} | {name: each.metrics[name]["value"] for name in plotted}
        for value, each in zip(values, sweep.evaluations, strict=True)
    ]
    print(_heading(sweep.evaluations[0].receipt))
    print(receipts.format_table(rows))
    print(path.with_suffix(".png"))
    print(path)


def _measured(
    axis: str, values: list[float], run: "Run", directory: RunDirectory, step: int
) -> sweeps.Sweep:
    from logan_tf.cli.running import lifecycle
    from logan_tf.evaluation.receipts import Evaluation

    settings = run_flags.settings(run.evaluator.latent_steps)
    points = [
        dataclasses.replace(settings, **{axis: value})  # type: ignore[arg-type]
        for value in values
    ]
    print(f"step {step} at {len(points)} values of {axis}", flush=True)
    has_steps = run.evaluator.graph.latent_move is not None
    for point in points:  # The last is refused before the first is measured.
        point.require(has_steps)
    found = []
    with progress.bar(total=len(points), desc=axis) as bar:
        for point in points:
            _, receipt, metrics = lifecycle.evaluate(
                run, directory, step, point, reuse=True, **_extent()
            )
            found.append(Evaluation(receipt, metrics))
            bar.update()
    return sweeps.Sweep(axis, found)


def _neighbors(nearest: int) -> None:
    """A picture, and the places and distances beside it."""
    if FLAGS.seeds != 1:
        raise ConfigurationError("--neighbors are those of one seed: leave out --seeds")
    run, directory, step = _open()
    from logan_tf.cli.running import lifecycle
    from logan_tf.evaluation.receipts import own_path
    from logan_tf.plots import pictures

    settings = run_flags.settings(run.evaluator.latent_steps)
    path = lifecycle.evaluation_path(
        run, directory, step, settings, "-neighbors", num_samples=FLAGS.num_samples
    )
    num = FLAGS.num_samples or _NEIGHBORED
    print(f"drawing {num} samples of step {step}, and their neighbors", flush=True)
    subject = {"checkpoint_step": step, "recipe": directory.recipe()}
    receipt, found = run.evaluator.neighbors(
        nearest, settings, num_samples=num, **subject
    )
    path = own_path(path, receipt)
    atomic_file.write_text(path, found.text(receipt))
    title = f"{receipt.recipe}, step {step:,}, by features of the classifier"
    pictures.save_neighbors(
        path.with_suffix(".png"), found.samples, found.images, found.searched, title
    )
    print(path.with_suffix(".png"))
    print(path)


def _heading(receipt: "Receipt") -> str:
    return f"{receipt.protocol}, {receipt.num_samples:,} samples, {receipt.seeds()}"


def _compare(first: str | None, second: str | None) -> None:
    """Says which metrics of two evaluations differ by more than chance."""
    if first is None or second is None:
        raise ConfigurationError(
            "two evaluations are compared: bin/evaluate --compare A.json B.json"
        )
    from logan_tf.evaluation import receipts, repetition

    evaluations = [receipts.read_evaluation(path) for path in (first, second)]
    differences = repetition.compare(*evaluations)
    rows = [
        {
            "": name,
            "A": difference.first,
            "B": difference.second,
            "B - A from": difference.interval[0],
            "to": difference.interval[1],
            "told apart": "yes" if difference.is_told_apart else "no",
        }
        for name, difference in differences.items()
    ]
    for name, path, evaluation in zip("AB", (first, second), evaluations, strict=True):
        receipt = evaluation.receipt
        print(
            f"{name}  {receipt.recipe}, step {receipt.checkpoint_step}, "
            f"{receipt.latent_steps} latent steps, truncation {receipt.truncation}, "
            f"{receipt.num_seeds} seeds: {path}"
        )
    print(f"{receipt.protocol}, {receipt.num_samples:,} samples, 95 % intervals")
    print(receipts.format_table(rows))


if __name__ == "__main__":
    usage = (
        "bin/evaluate --run_dir=DIR\n"
        "bin/evaluate --run_dir=DIR --curve=truncation --values=1,.5,.1\n"
        "bin/evaluate --run_dir=DIR --neighbors=5\n"
        "bin/evaluate --run_dir=DIR --accuracy_score\n"
        "bin/evaluate --run_dir=DIR --images=PICTURES\n"
        "bin/evaluate --compare A.json B.json"
    )
    app.run(main, f"{__doc__}\n\n{usage}", FIRST)
