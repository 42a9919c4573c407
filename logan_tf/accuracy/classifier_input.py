"""What a classifier sees of a picture: crops, flips and sizes."""

import tensorflow as tf

from logan_tf.data import pixels
from logan_tf.errors import ConfigurationError, require_at_least

_WORDS = 2.0**32  # a random word is below it
LEAST_SIZE = 32  # of keras.applications
_LOG_RATIO = 0.2876820724517809  # ln 4/3


class ClassifierInput:
    """Prepares square pictures, at random to train on and always alike to test.

    Args:
      size: side of what the classifier sees; None: the pictures', at least 32, the
        smallest that keras.applications takes.
      interpolation: 'nearest', 'bilinear' (averaging as it shrinks), 'bicubic' or
        'area': how pictures become that size.
      flip: mirror each training picture left to right with probability 1/2.
      shift: move it by up to so many of its pixels a side; black moves in (the
        padding of He et al. 2016 for CIFAR-10 is 4).
      crop_area: the least and the largest share of its area that a random crop
        takes, of an aspect ratio from 3/4 to 4/3 (Szegedy et al. 2015 train with
        .08 to 1). Unlike theirs a side that would be too long is cut, not redrawn.
      test_crop: side of the central square that is tested, as a share of the whole
        (.875 is 224 of 256 pixels).

    Raises:
      ConfigurationError: a number out of its range.
    """

    def __init__(
        self,
        size: int | None = None,
        interpolation: str = "bilinear",
        flip: bool = False,
        shift: int = 0,
        crop_area: tuple[float, float] = (1.0, 1.0),
        test_crop: float = 1.0,
    ) -> None:
        require_at_least(1, size=size)
        require_at_least(0, shift=shift)
        if interpolation not in ("nearest", "bilinear", "bicubic", "area"):
            raise ConfigurationError(
                f"ClassifierInput.interpolation is {interpolation!r}: give 'nearest', "
                "'bilinear', 'bicubic' or 'area'"
            )
        least, largest = crop_area
        if not 0 < least <= largest <= 1:
            raise ConfigurationError(
                f"ClassifierInput.crop_area is {least} to {largest}: give two shares "
                "of (0, 1], the smaller first"
            )
        if not 0 < test_crop <= 1:
            raise ConfigurationError(
                f"ClassifierInput.test_crop is {test_crop}: give a share of (0, 1]"
            )
        self._size = size
        self._interpolation = interpolation
        self._flip = flip
        self._shift = shift
        self._crop_area = (float(least), float(largest))
        self._test_crop = test_crop

    def shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(size, size, channels) of what the classifier sees of pictures of a shape."""
        size = self._size or max(shape[0], LEAST_SIZE)
        return (size, size, shape[-1])

    def describe(self) -> str:
        """All that changes a number, in words."""
        least, largest = self._crop_area
        return (
            f"{self._interpolation} flip={self._flip} shift={self._shift} "
            f"crop_area={least:g}-{largest:g} test_crop={self._test_crop:g}"
        )

    def to_train(self, images: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Random crops: float32 [n, size, size, channels] in [-1, 1].

        Args:
          images: uint8 [n, height, width, channels].
          words: int64 [n, 4], random below 2³²: all that the result depends on.
        """
        shape = self.shape(tuple(images.shape[1:]))

        def crop(arguments: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            image, random = arguments
            return tf.ensure_shape(
                self._resized(self._random_crop(image, random)), shape
            )

        seen = tf.map_fn(
            crop, (images, words), fn_output_signature=tf.TensorSpec(shape, tf.float32)
        )
        if self._flip:
            seen = pixels.random_flip(seen, words)
        return seen / 127.5 - 1

    def to_test(self, images: tf.Tensor) -> tf.Tensor:
        """Central squares: float32 [n, size, size, channels] in [-1, 1].

        Args:
          images: uint8 [n, height, width, channels].
        """
        height, width = images.shape[1:3]
        side_h, side_w = (round(self._test_crop * side) for side in (height, width))
        top, left = (height - side_h) // 2, (width - side_w) // 2
        square = images[:, top : top + side_h, left : left + side_w]
        return self._resized(square) / 127.5 - 1

    def _random_crop(self, image: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        sides = tf.cast(tf.shape(image)[:2], tf.float64)
        # The lowest bit of the first word decides on the flip.
        uniform = tf.cast(words, tf.float64) / _WORDS
        if self._shift:
            margin = [self._shift, self._shift]
            image = tf.pad(image, [margin, margin, [0, 0]])
        least, largest = self._crop_area
        if least < 1:
            area = least + (largest - least) * uniform[0]
            ratio = tf.exp(_LOG_RATIO * (2 * uniform[1] - 1))
            shares = tf.sqrt(tf.stack([area / ratio, area * ratio]))
            sides = tf.maximum(tf.round(sides * tf.minimum(shares, 1)), 1)
        sides = tf.cast(sides, tf.int32)
        room = tf.cast(tf.shape(image)[:2] - sides + 1, tf.float64)
        corner = tf.cast(tf.floor(room * uniform[2:]), tf.int32)
        return tf.slice(image, [*tf.unstack(corner), 0], [*tf.unstack(sides), -1])

    def _resized(self, images: tf.Tensor) -> tf.Tensor:
        """As float32 of 0 to 255; one picture or many."""
        size = self._size or max(images.shape[-3] or 0, LEAST_SIZE)
        resized = tf.image.resize(
            images, [size, size], self._interpolation, antialias=True
        )
        return tf.clip_by_value(tf.cast(resized, tf.float32), 0, 255)
