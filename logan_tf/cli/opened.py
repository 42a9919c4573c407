"""The flags of commands that work on a run, and the run that they name."""

from absl import flags

from logan_tf.cli import app, recipe
from logan_tf.errors import ConfigurationError
from logan_tf.training.run_directory import RunDirectory

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "The run, as bin/train made it.")
flags.DEFINE_string("checkpoint", "latest", "'latest', 'best' or a step.")
flags.DEFINE_integer("seed", 0, "Of the samples.")
flags.DEFINE_integer(
    "latent_steps", None, "Latent steps before sampling; None: the recipe's."
)
flags.DEFINE_float("truncation", 1.0, "Factor in (0, 1] of the latents.")
flags.DEFINE_multi_string(
    "module", [], "A module of yours that the run's recipe names."
)


def open_run():
    """Builds the run that --run_dir names and restores its --checkpoint.

    Returns:
      The `runs.Run`, the `RunDirectory` and the checkpoint's step.

    Raises:
      ConfigurationError: if there is no run or no such checkpoint.
    """
    if FLAGS.run_dir is None:
        raise ConfigurationError("which run? Give --run_dir=DIR of a bin/train run")
    directory = RunDirectory(FLAGS.run_dir)
    directory.require()
    directory.require_checkpoint(FLAGS.checkpoint)
    scanned = recipe.read([str(directory.config)], [], FLAGS.module)
    app.import_tensorflow()
    from logan_tf.cli import configuration, runs

    configuration.apply(scanned, FLAGS.module)
    run, step = runs.restore(directory, FLAGS.checkpoint)
    return run, directory, step
