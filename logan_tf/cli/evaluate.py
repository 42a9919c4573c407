"""bin/evaluate: judges a run by its recipe's protocol, and writes the numbers down."""

from absl import flags

from logan_tf.cli import app, opened
from logan_tf.errors import ConfigurationError

FLAGS = flags.FLAGS
flags.DEFINE_integer("num_samples", None, "How many samples; None: the protocol's.")


def main() -> None:
    """Writes `evaluations/step-….json` in the run directory and prints a table."""
    if FLAGS.num_samples is not None and FLAGS.num_samples < 1:
        raise ConfigurationError(
            f"--num_samples must be 1 or more, not {FLAGS.num_samples}"
        )
    run, directory, step = opened.open_run()
    from logan_tf.cli import runs
    from logan_tf.evaluation import receipts

    path, receipt, metrics = runs.evaluate(
        run,
        directory,
        step,
        num_samples=FLAGS.num_samples,
        seed=FLAGS.seed,
        latent_steps=FLAGS.latent_steps,
        truncation=FLAGS.truncation,
    )
    rows = [runs.row(f"step {step}", metrics)]
    held_out = run.evaluator.evaluate_held_out(
        num_samples=receipt.num_samples, seed=receipt.seed
    )
    if held_out is not None:
        rows.append(runs.row("real held-out data", held_out[1]))
    print(f"{receipt.protocol}, {receipt.num_samples:,} samples, seed {receipt.seed}")
    print(receipts.format_table(rows))
    print(path)


if __name__ == "__main__":
    app.run(main, f"{__doc__}\n\nbin/evaluate --run_dir=DIR")
