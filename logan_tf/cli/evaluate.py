"""bin/evaluate: judges a run by its recipe's protocol, and writes the numbers down."""

from absl import flags

from logan_tf.cli import accuracy, app, opened
from logan_tf.errors import ConfigurationError

FLAGS = flags.FLAGS
flags.DEFINE_integer("num_samples", None, "How many samples; None: the protocol's.")
flags.DEFINE_integer(
    "seeds", 1, "How many evaluations, of the seeds from --seed on; 5 give intervals."
)
flags.DEFINE_string(
    "compare", None, "An evaluation's file; a second one follows. Nothing is measured."
)
flags.DEFINE_string("with", None, "The second file.")
flags.DEFINE_multi_string("gin_file", [], "Read after the run's own configuration.")
flags.DEFINE_multi_string(
    "gin_param", [], "A statement after it, such as 'ClassifierTraining.epochs = 10'."
)

FIRST = "with"


def main() -> None:
    """Writes `evaluations/step-….json` in the run directory and prints a table."""
    if FLAGS.compare is not None or FLAGS["with"].value is not None:
        _compare(FLAGS.compare, FLAGS["with"].value)
        return
    for name in ("num_samples", "seeds"):
        value = FLAGS[name].value
        if value is not None and value < 1:
            raise ConfigurationError(f"--{name} must be 1 or more, not {value}")
    accuracy.require_flags()
    run, directory, step = opened.open_run(FLAGS.gin_file, FLAGS.gin_param)
    if FLAGS.accuracy_score:
        accuracy.main(run, directory, step)
        return
    from logan_tf.cli import runs
    from logan_tf.evaluation import receipts

    path, receipt, metrics = runs.evaluate(
        run,
        directory,
        step,
        num_samples=FLAGS.num_samples,
        seed=FLAGS.seed,
        num_seeds=FLAGS.seeds,
        latent_steps=FLAGS.latent_steps,
        truncation=FLAGS.truncation,
    )
    columns = {f"step {step}": metrics}
    held_out = run.evaluator.evaluate_held_out(
        num_samples=receipt.num_samples, seed=receipt.seed
    )
    if held_out is not None:
        columns[f"{held_out[0].num_samples:,} held out"] = held_out[1]
    seeds = f"seed {receipt.seed}"
    if receipt.num_seeds > 1:
        seeds += f" to {receipt.seed + receipt.num_seeds - 1}"
    print(f"{receipt.protocol}, {receipt.num_samples:,} samples, {seeds}")
    print(receipts.format_table(receipts.rows(columns)))
    print(path)


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
        "bin/evaluate --run_dir=DIR\nbin/evaluate --run_dir=DIR --accuracy_score\n"
        "bin/evaluate --compare A.json B.json"
    )
    app.run(main, f"{__doc__}\n\n{usage}", FIRST)
