"""The flags of commands that work on a run, and the run that they name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.running import consent
from logan_tf.configuration import recipe
from logan_tf.errors import ConfigurationError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from logan_tf.cli.running.lifecycle import Run

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(consent)
flags.DEFINE_string("run_dir", None, "The run, as bin/train made it.")
flags.DEFINE_string("checkpoint", "latest", "'latest', 'best' or a step.")
flags.DEFINE_integer("seed", 0, "Of the samples.", 0, app.MOST)
flags.DEFINE_integer(
    "latent_steps",
    None,
    "Latent steps before sampling; None: the recipe's.",
    upper_bound=app.MOST,
)
flags.DEFINE_float(
    "truncation",
    1.0,
    "s in (0, 1]: uniform latents are scaled by it, normal ones lie within 2 s.",
)

OF_SAMPLES = ("checkpoint", "latent_steps", "truncation")
"""Which say how samples are drawn."""


@flags.validator("latent_steps")
def _require_steps(steps: int | None) -> bool:
    if steps is not None and steps < 0:
        raise flags.ValidationError(f"latent_steps must be 0 or more, not {steps}")
    return True


@flags.validator("truncation")
def _require_truncation(factor: float) -> bool:
    if not 0 < factor <= 1:
        raise flags.ValidationError(
            f"truncation is {factor}: give a number above 0, at most 1"
        )
    return True


def settings(recipe_steps: int) -> SamplingSettings:
    """Those of the flags.

    Args:
      recipe_steps: latent steps where --latent_steps does not say.
    """
    steps = FLAGS.latent_steps
    steps = recipe_steps if steps is None else steps
    return SamplingSettings(FLAGS.seed, steps, FLAGS.truncation)


def open_run(
    gin_files: Sequence[str] = (), gin_params: Sequence[str] = ()
) -> tuple["Run", RunDirectory, int]:
    """Builds the run that --run_dir names and restores its --checkpoint.

    Args:
      gin_files, gin_params: read after the run's own configuration.

    Returns:
      The `lifecycle.Run`, the `RunDirectory` and the checkpoint's step.

    Raises:
      ConfigurationError: if there is no run or no such checkpoint.
    """
    if FLAGS.run_dir is None:
        raise ConfigurationError("which run? Give --run_dir=DIR of a bin/train run")
    directory = RunDirectory(FLAGS.run_dir, FLAGS.follow_links)
    directory.require()
    directory.require_checkpoint(FLAGS.checkpoint)
    scanned = recipe.read([str(directory.config), *gin_files], gin_params, FLAGS.module)
    app.import_tensorflow()
    from logan_tf.cli.running import lifecycle
    from logan_tf.configuration import bindings

    bindings.apply(scanned, FLAGS.module, FLAGS.trust)
    run, step = lifecycle.restore(directory, FLAGS.checkpoint)
    return run, directory, step
