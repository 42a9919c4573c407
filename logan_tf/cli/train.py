"""bin/train: trains a recipe in a run directory, from its last checkpoint on."""

from absl import flags

from logan_tf.cli import app, recipe
from logan_tf.errors import ConfigurationError
from logan_tf.training.run_directory import RunDirectory

FLAGS = flags.FLAGS
flags.DEFINE_multi_string("gin_file", [], "Recipe; may be given several times.")
flags.DEFINE_multi_string("gin_param", [], "A statement such as 'total_steps = 100'.")
flags.DEFINE_multi_string("module", [], "A module of yours whose classes recipes name.")
flags.DEFINE_string("run_dir", None, "Where the run lives; runs/<recipe> by default.")
flags.DEFINE_bool("restart", False, "Start anew: removes what the run directory holds.")
flags.DEFINE_bool("dry_run", False, "Build, print what would run, and stop.")
flags.DEFINE_bool(
    "deterministic", False, "The same numbers bit for bit on a GPU too; slower."
)
flags.DEFINE_bool("progress", True, "Show a progress bar.")


def main() -> None:
    """Everything that can be refused early is, before TensorFlow is imported."""
    directory = RunDirectory(FLAGS.run_dir or _default_run_dir())
    gin_files = FLAGS.gin_file
    if not gin_files:
        directory.require()
        gin_files = [str(directory.config)]
    scanned = recipe.read(gin_files, FLAGS.gin_param, FLAGS.module)
    if not FLAGS.dry_run:
        directory.require_writable()
    app.import_tensorflow()
    if FLAGS.deterministic:
        app.require_determinism()
    from logan_tf.cli import configuration, runs

    config = configuration.apply(scanned, FLAGS.module)
    config = directory.named(config, scanned.files[0])
    if FLAGS.dry_run:
        runs.describe(config)
        return
    runs.train(
        runs.build(),
        directory,
        config,
        progress=FLAGS.progress,
        restart=FLAGS.restart,
    )


def _default_run_dir() -> str:
    if not FLAGS.gin_file:
        raise ConfigurationError(
            "what shall be trained? Give --gin_file=gin/stacked_digits_logan.gin, "
            "say, or "
            "the --run_dir of a run to resume"
        )
    return f"runs/{recipe.find(FLAGS.gin_file[0]).stem}"


if __name__ == "__main__":
    app.run(main, f"{__doc__}\n\nbin/train --gin_file=gin/stacked_digits_logan.gin")
