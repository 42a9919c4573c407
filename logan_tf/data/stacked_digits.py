"""A thousand modes that can be counted: three digits as the channels of one picture.

The stacked MNIST of Metz et al. (2017), Unrolled GANs, with MNIST's digits or others.
"""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from logan_tf.data import pixels, random_access
from logan_tf.data.digits import Digits

_READ_AT_ONCE = 1000


class StackedDigits:
    """RGB pictures of three digits r, g, b; the label is the mode 100 r + 10 g + b.

    Attributes:
      digits: the gray digits, whose training split the triples are drawn from.
      shape: (size, size, 3).
      num_classes: 1000.
      class_names: "000" to "999", as the pictures read.
      num_judged: how many samples are judged: as many as Metz et al. draw.
    """

    num_judged = 26_000

    def __init__(
        self, size: int = 16, data_dir: str | None = None, name: str = "digits"
    ) -> None:
        """Pictures of `size`×`size`.

        Args:
          size: side of the pictures in pixels.
          data_dir: where TFDS keeps the digits.
          name: of a data set that `Digits` takes.
        """
        self.digits = Digits(size, data_dir, name)
        self.shape = (size, size, 3)
        self.num_classes = 1000
        self.class_names = [f"{mode:03d}" for mode in range(1000)]

    def ordered(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """26,000 triples of a split that are always the same; see `TFDSImages`.

        Args:
          split: 'train' or 'test' (held out): where the digits come from.

        Returns:
          Parts (images uint8 [n, size, size, 3], labels int32 [n]).
        """
        images, labels = self.digits.arrays(split)
        drawn = np.random.default_rng(0).integers(
            len(images), size=(self.num_judged, 3)
        )
        for first in range(0, self.num_judged, _READ_AT_ONCE):
            triples = drawn[first : first + _READ_AT_ONCE]
            stacked = np.moveaxis(images[triples, ..., 0], 1, -1)
            yield stacked, (labels[triples] @ [100, 10, 1]).astype(np.int32)

    @property
    def identity(self) -> str:
        """Says which pictures these are."""
        return f"stacked {self.digits.identity}"

    def examples(
        self,
        *,
        seed: tuple[int, int],
        first: int,
        count: int,
        rows: slice = random_access.ALL_ROWS,
    ) -> tf.data.Dataset:
        """Triples drawn independently and uniformly; see `batch.Dataset`."""
        seed_tensor = tf.constant(seed, tf.int64)
        images, labels = self.digits.arrays("train")
        with tf.device("CPU:0"):  # Never on an accelerator: the pipeline is the host's.
            all_images, all_labels = tf.constant(images[..., 0]), tf.constant(labels)

        def draw(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            words = random_access.random_words(seed_tensor, position, count)[rows]
            triples = words[:, :3] % len(images)
            channels = tf.unstack(tf.gather(all_images, triples), axis=1)
            modes = tf.linalg.matvec(tf.gather(all_labels, triples), [100, 10, 1])
            return pixels.to_float(tf.stack(channels, axis=-1)), modes

        return random_access.chunks(draw, first=first, count=count)
