"""A folder's pictures, converted as bin/prepare converts them, and not stored."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from logan_tf.data import pixels
from logan_tf.data.preparation import folders, image_files
from logan_tf.data.stored_images import READ_AT_ONCE
from logan_tf.errors import BadDataError


def parts(
    folder: Path, listing: folders.Listing, shape: tuple[int, ...]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Reads the pictures in the order of their names.

    Args:
      folder: where the files are.
      listing: of the folder.
      shape: (size, size, channels) of the pictures; of one channel it is luminance.

    Returns:
      Parts (images uint8 [n, *shape], labels int32 [n], 0 without classes).

    Raises:
      BadDataError: a file that is no picture. None is left out, for the number of
        pictures belongs to what is measured of them.
    """
    for first in range(0, len(listing.names), READ_AT_ONCE):
        part = slice(first, first + READ_AT_ONCE)
        with image_files.pixel_cap(image_files.MAX_PIXELS):
            images = [_picture(folder, name, shape) for name in listing.names[part]]
        yield np.stack(images), np.array(listing.labels[part], np.int32)


def _picture(folder: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        image = image_files.read(folder / name)
    except image_files.UnusableError as error:
        raise BadDataError(
            f"{folder / folders.readable(name)} cannot be read ({error}): mend it, or "
            "remove it from the folder"
        ) from error
    size, _, channels = shape
    with tf.device("CPU:0"):
        resized = pixels.resize(tf.constant(image), size)
        return (
            tf.image.rgb_to_grayscale(resized) if channels == 1 else resized
        ).numpy()
