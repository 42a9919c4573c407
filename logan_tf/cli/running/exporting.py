"""A run's generator as a SavedModel, with the receipt of where it comes from."""

import hashlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logan_tf import small_files, versions
from logan_tf.errors import ConfigurationError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling import saved_assets
from logan_tf.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from logan_tf.cli.running.lifecycle import Run

_PACKAGES = ("logan_tf", "tensorflow", "keras", "numpy")


def require_free(output: Path) -> None:
    """Raises ConfigurationError for a place that holds something else than an export.

    Needs no TensorFlow.
    """
    if not output.exists() or saved_assets.is_export(output):
        return
    if not output.is_dir() or any(output.iterdir()):
        raise ConfigurationError(
            f"{output} is there and no SavedModel of bin/export: remove it, or choose "
            "another --output"
        )


def export(
    run: "Run",
    directory: RunDirectory,
    step: int,
    output: Path,
    settings: SamplingSettings | None = None,
    discriminator: bool = True,
) -> None:
    """Writes the SavedModel; it takes the place of an earlier one.

    Args:
      run: restored.
      directory: of the run.
      step: of the checkpoint.
      output: the folder.
      settings: of the standing statistics that `serving_default` has; None: the
        recipe's. The other functions collect their own at each call.
      discriminator: whether to include it, for latent steps and scores.

    Raises:
      ConfigurationError: latent steps without a latent optimizer.
    """
    from logan_tf.sampling import export as saved_models
    from logan_tf.sampling.signatures import Signatures

    settings = settings or run.evaluator.settings()
    settings.require(bool(run.experiment.latent_optimizer))
    sampler, weights = run.evaluator.settled(settings)
    signatures = Signatures(
        sampler.graph,
        weights["standing_batches"],
        weights["standing_batch_size"],
        discriminator,
    )
    saved_models.export(
        output,
        signatures,
        _origin(directory, step) | weights | signatures.description(),
        run.evaluator.class_names(),
        run.evaluator.points(),
    )


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
