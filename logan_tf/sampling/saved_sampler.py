"""A sampler out of a SavedModel that `bin/export` made.

A SavedModel is a program: loading and calling one runs what its maker put into it, with
the caller's rights. Load none that you would not run as a script.
"""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from logan_tf.errors import BadDataError, ConfigurationError, first_line
from logan_tf.literal_paths import literal
from logan_tf.sampling import saved_assets
from logan_tf.sampling.sampler import Samples, checked_labels, require_room
from logan_tf.sampling.saved_assets import Points
from logan_tf.sampling.settings import SamplingSettings


class SavedSampler:
    """Draws the samples that the run would, bit for bit on one CPU.

    Args:
      path: the SavedModel's directory.

    Attributes:
      receipt: where it comes from and how it samples.

    Raises:
      ConfigurationError: no such directory, or no SavedModel of `bin/export`.
      BadDataError: it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self.receipt = saved_assets.read_receipt(path)
        try:
            with literal(path) as folder:
                self._loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, KeyError, IndexError, tf.errors.OpError) as error:
            raise BadDataError(
                f"{path} cannot be read ({first_line(error)}): export it again"
            ) from error
        self._signatures = self._loaded.signatures
        if not {"draw", "interpolate"} <= set(self._signatures):
            raise ConfigurationError(f"{path} {saved_assets.FOREIGN}")

    def sample(
        self,
        num: int,
        settings: SamplingSettings,
        *,
        labels: np.ndarray | None = None,
        interpolate: int = 0,
    ) -> Samples:
        """As `Sampler.sample` after `Sampler.collect_standing` of the same settings."""
        settings.require(self.receipt["latent_optimizer"], num, interpolate)
        require_room(num, self.receipt["image_shape"])
        inputs = {
            "num": tf.constant(num),
            "truncation": tf.constant(settings.truncation, tf.float32),
            "latent_steps": tf.constant(settings.latent_steps),
            "seed": tf.constant(settings.seed, tf.int64),
        }
        if self.receipt["conditional"]:
            given = checked_labels(labels, num, self.receipt["num_classes"])
            inputs["labels"] = tf.constant(given, tf.int32)
        if interpolate:
            inputs["columns"] = tf.constant(interpolate)
        drawn = self._signatures["interpolate" if interpolate else "draw"](**inputs)
        return Samples(*(drawn[name].numpy() for name in Samples._fields))

    @property
    def latent_steps(self) -> int:
        """Those of the recipe."""
        return self.receipt["latent_steps"]

    @property
    def num_classes(self) -> int:
        """How many classes samples can be drawn of; 0 where labels do not matter."""
        return self.receipt["num_classes"] if self.receipt["conditional"] else 0

    def class_names(self) -> list[str]:
        """The data set's names of its classes, their numbers where it has none."""
        num, names = self.num_classes, saved_assets.read_class_names(self._path)
        return names if len(names) == num else [str(label) for label in range(num)]

    def points(self) -> Points | None:
        """What points are drawn with; None: they are pictures."""
        return saved_assets.read_points(self._path)
