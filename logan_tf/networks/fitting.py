"""Whether networks fit the data: builds them and looks at what comes out."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from logan_tf.data.batch import Dataset
from logan_tf.errors import ConfigurationError


def build(
    generators: Sequence[keras.Model], discriminator: keras.Model, dataset: Dataset
) -> None:
    """Makes the networks' variables by a batch of two.

    Args:
      generators: of one kind.
      discriminator: of their examples.
      dataset: whose examples and classes are to be theirs.

    Raises:
      ConfigurationError: other shapes or classes than the data's.
    """
    shape, labels = tuple(dataset.shape), tf.zeros([2], tf.int32)
    made = [each(tf.zeros([2, each.latent_dim]), labels) for each in generators]
    found = tuple(made[0].shape[1:])
    if found != shape:
        raise ConfigurationError(
            f"the generator makes examples of shape {found}, the dataset has {shape}: "
            f"{_remedy(shape)}"
        )
    takes = tuple(getattr(discriminator, "image_shape", shape))
    if takes != shape:
        raise ConfigurationError(
            f"the discriminator takes examples of shape {takes}, the dataset has "
            f"{shape}: {_remedy(shape)}"
        )
    for player in (generators[0], discriminator):
        _require_classes(player, dataset)
    scores = discriminator(tf.zeros([2, *shape]), labels)
    if scores.shape != (2,):
        raise ConfigurationError(
            f"a discriminator must return [batch] scores, not {list(scores.shape)} for "
            "a batch of 2: squeeze its last axis"
        )


def _require_classes(network: keras.Model, dataset: Dataset) -> None:
    own = getattr(network, "num_classes", 0)
    if own and own != dataset.num_classes:
        raise ConfigurationError(
            f"the {type(network).__name__.lower()} has {own} classes, the dataset "
            f"{dataset.num_classes}: set num_classes = {dataset.num_classes}, or 0 for "
            "networks that look at no labels"
        )


def _remedy(shape: tuple[int, ...]) -> str:
    """How a recipe's networks get the shape of its data."""
    if len(shape) != 3:
        return "take networks of such examples"
    return f"set image_size = {shape[0]} and channels = {shape[2]}"
