"""bin/export: a run's generator as a SavedModel that needs none of this package.

Or its training as programs for another runtime: --train_step, and back by --trained.
"""

import hashlib
import platform
from pathlib import Path
from typing import Any

from absl import flags

from logan_tf import small_files, versions
from logan_tf.cli import app
from logan_tf.cli.running import elsewhere, run_flags
from logan_tf.errors import ConfigurationError
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

_PACKAGES = ("logan_tf", "tensorflow", "keras", "numpy")


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
    output = _output()
    run, directory, step = run_flags.open_run()
    from logan_tf.sampling.export import export
    from logan_tf.sampling.signatures import Signatures

    print(f"tracing the functions of step {step}, a minute or more", flush=True)
    experiment = run.experiment
    settings = run_flags.settings(run.evaluator.latent_steps)
    settings.require(bool(experiment.latent_optimizer))
    sampler, weights = run.evaluator.settled(settings)
    signatures = Signatures(
        sampler.graph,
        weights["standing_batches"],
        weights["standing_batch_size"],
        FLAGS.discriminator,
    )
    export(
        output,
        signatures,
        _origin(directory, step) | weights | signatures.description(),
        run.evaluator.class_names(),
        run.evaluator.points(),
    )
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"step {step} as a SavedModel of {size / 2**20:.1f} MiB: {output}")


def _output() -> Path:
    """Where to write; a folder that is something else is left alone."""
    given = FLAGS.output
    output = Path(given) if given else RunDirectory(FLAGS.run_dir or ".").saved_model
    if not output.exists() or saved_assets.is_export(output):
        return output
    if not output.is_dir() or any(output.iterdir()):
        raise ConfigurationError(
            f"{output} is there and no SavedModel of bin/export: remove it, or choose "
            "another --output"
        )
    return output


def _origin(directory: RunDirectory, step: int) -> dict[str, Any]:
    """The part of the receipt that says where the weights come from."""
    config = small_files.read_bytes(directory.config)
    return {
        "recipe": directory.recipe(),
        "checkpoint_step": step,
        "config_hash": hashlib.sha256(config).hexdigest()[:16],
        "versions": versions.installed(*_PACKAGES)
        | {"python": platform.python_version()},
    }


if __name__ == "__main__":
    app.run(main, f"{__doc__}\n\nbin/export --run_dir=DIR")
