"""bin/export: a run's generator as a SavedModel that needs none of this package.

Or its training as programs for another runtime: --train_step, and back by --trained.
"""

from pathlib import Path

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.running import elsewhere, run_flags
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling import saved_assets

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "The SavedModel; None: RUN_DIR/saved_model.")
flags.DEFINE_bool(
    "discriminator", True, "Include it, for latent steps and scores; a larger model."
)
flags.DEFINE_string(
    "train_step",
    None,
    "Write the training step, its state and its data to this folder instead, as "
    "StableHLO and .npz: benchmarks/train_with_jax.py trains with them.",
)
flags.DEFINE_integer(
    "batches", 20, "Batches of bin/train that --train_step writes.", 1, app.MOST
)
flags.DEFINE_multi_string(
    "gin_file", [], "Recipe of a run that --train_step is to begin."
)
flags.DEFINE_multi_string("gin_param", [], "A statement such as 'batch_size = 16'.")
flags.DEFINE_string(
    "trained", None, "A state that came back: it becomes a checkpoint of the run."
)


def main() -> None:
    """Writes the SavedModel and says what it can do.

    --seed, --latent_steps and --truncation are those of the standing statistics that
    `serving_default` has; the other functions make their own at each call.
    """
    if FLAGS.train_step:
        elsewhere.leave(
            Path(FLAGS.train_step), FLAGS.batches, FLAGS.gin_file, FLAGS.gin_param
        )
        return
    if FLAGS.trained:
        elsewhere.come_back(Path(FLAGS.trained))
        return
    given = FLAGS.output
    output = Path(given) if given else RunDirectory(FLAGS.run_dir or ".").saved_model
    saved_assets.require_free(output)
    run, directory, step = run_flags.open_run()
    from logan_tf.evaluation import exporting

    print(f"tracing the functions of step {step}, a minute or more", flush=True)
    evaluator = run.evaluator
    settings = run_flags.settings(evaluator.latent_steps)
    exporting.export(evaluator, directory, step, output, settings, FLAGS.discriminator)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"step {step} as a SavedModel of {size / 2**20:.1f} MiB: {output}")


if __name__ == "__main__":
    app.run(main, f"{__doc__}\n\nbin/export --run_dir=DIR")
