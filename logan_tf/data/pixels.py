"""Square uint8 pictures: their size, and their way into a batch."""

import numpy as np
import tensorflow as tf

from logan_tf.data import random_access
from logan_tf.errors import ConfigurationError

UNCLASSED = "is a label of none of"  # After a label without a class.


def require_size(size: int) -> None:
    """Raises ConfigurationError unless `size` can be the side of a picture."""
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigurationError(
            f"size, the side of a picture, must be an integer above 0, not {size!r}."
        )


def resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """Crops the central square and resizes it: bilinear up, area averages down.

    Args:
      image: uint8 [height, width, channels] or [batch, height, width, channels].
      size: the new side.

    Returns:
      uint8 [..., size, size, channels], rounded to the nearest value.
    """
    height, width = tf.shape(image)[-3], tf.shape(image)[-2]
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[..., top : top + side, left : left + side, :]

    def resized(method: str) -> tf.Tensor:
        values = tf.image.resize(square, [size, size], method)
        return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)

    return tf.cond(side < size, lambda: resized("bilinear"), lambda: resized("area"))


def to_float(images: tf.Tensor) -> tf.Tensor:
    """Maps uint8 0..255 to float32 [-1, 1]."""
    return tf.cast(images, tf.float32) / 127.5 - 1


def shuffled_examples(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    seed: tuple[int, int],
    first: int,
    count: int,
    rows: slice = random_access.ALL_ROWS,
    flip: bool = False,
) -> tf.data.Dataset:
    """Pictures in memory as `batch.Dataset.examples`: each once an epoch.

    Args:
      images: uint8 [n, height, width, channels].
      labels: int32 [n].
      seed: draws the order of each epoch, and the flips.
      first: the number of the first example.
      count: examples in each element.
      rows: those of the `count` that are wanted.
      flip: mirror each picture left to right with probability 1/2.

    Raises:
      ConfigurationError: `count` > n.
    """
    num_examples = len(images)
    require_examples(num_examples, count)
    seed_tensor = tf.constant(seed, tf.int64)
    with tf.device("CPU:0"):  # Never on an accelerator: the pipeline is the host's.
        all_images, all_labels = tf.constant(images), tf.constant(labels)

    def gather(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        indices = random_access.shuffled_indices(
            seed_tensor, position, count=count, num_examples=num_examples
        )[rows]
        chosen = to_float(tf.gather(all_images, indices))
        if flip:
            words = random_access.random_words(seed_tensor, position, count)
            chosen = random_flip(chosen, words[rows])
        return chosen, tf.gather(all_labels, indices)

    return random_access.chunks(gather, first=first, count=count)


def random_flip(images: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
    """Mirrors images [count, ...] each with probability 1/2, by their random words."""
    mirrored = words[:, 0] % 2 == 1
    return tf.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def require_examples(num_examples: int, count: int) -> None:
    """Raises ConfigurationError if a step takes more examples than there are."""
    if count > num_examples:
        raise ConfigurationError(
            f"A step takes {count} examples (batch_size times images_per_step), more "
            f"than the {num_examples} there are: lower batch_size."
        )
