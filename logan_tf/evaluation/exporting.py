"""A run's generator as a SavedModel, with the receipt of where it comes from."""

import hashlib
import platform
from pathlib import Path
from typing import Any

from logan_tf import small_files, versions
from logan_tf.evaluation.evaluator import Evaluator
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling import export as saved_models
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.sampling.signatures import Signatures

_PACKAGES = ("logan_tf", "tensorflow", "keras", "numpy")


def export(
    evaluator: Evaluator,
    directory: RunDirectory,
    step: int,
    output: Path,
    settings: SamplingSettings | None = None,
    discriminator: bool = True,
) -> None:
    """Writes the SavedModel; it takes the place of an earlier one.

    Args:
      evaluator: of the restored run.
      directory: of the run.
      step: of the checkpoint.
      output: the folder.
      settings: of the standing statistics that `serving_default` has; None: the
        recipe's. The other functions collect their own at each call.
      discriminator: whether to include it, for latent steps and scores.

    Raises:
      ConfigurationError: latent steps without a latent optimizer.
    """
    settings = settings or evaluator.settings()
    settings.require(evaluator.graph.latent_move is not None)
    sampler, weights = evaluator.settled(settings)
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
        evaluator.class_names(),
        evaluator.points(),
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
