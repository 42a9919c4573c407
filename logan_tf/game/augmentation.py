"""What happens to images before the discriminator sees them, real and generated alike.

In both players' updates, and in the latent step too, which sees a sample by the same
draw as the losses do; gradients pass through. Given its draws every transformation is
an affine map of each image by itself. Nothing random is drawn here: a batch brings
uniform numbers (`logan_tf.data.batch`).

DiffAugment: Zhao et al. 2020, *Differentiable Augmentation for Data-Efficient GAN
Training*, with the distributions of the authors' code. Difference: translations are
products with matrices of zeros and ones, since gathering pixels would have a gradient
that scatters, which a TPU is slow at. Instance noise: Sønderby et al. 2017 (§3.2),
Arjovsky & Bottou 2017.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.game import noise
from logan_tf.game.weights import GENERATOR

Draws: TypeAlias = tf.Tensor | tuple[()]


class Augmentation(Protocol):
    """(images [batch, …], draws float32 [batch, num_draws] in [0, 1)) → images.

    Attributes:
      num_draws: how many uniform numbers it takes for each image.
      variables: what it keeps from one update to the next; saved with a run.
    """

    num_draws: int
    variables: Sequence[tf.Variable] = ()

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor: ...

    def advance(self, players: Sequence[str]) -> Mapping[str, tf.Tensor]:
        """Moves what it keeps, after an update of `players`; returns metrics."""
        return {}


class InstanceNoise(Augmentation):
    """x + σ ε with ε ~ N(0, I), σ falling from `level` to 0 along a line.

    It makes real and generated images overlap, so that a discriminator that separates
    them has a slope for the generator to follow.

    Args:
      level: σ at the first step, 0 or more; pixels lie in [−1, 1].
      steps: updates of the generator after which there is none; 0: σ stays.

    Raises:
      ConfigurationError: for a number below 0.
    """

    num_draws = 2

    def __init__(self, level: float = 0.1, steps: int = 0) -> None:
        require_at_least(
            0, **{"InstanceNoise.level": level, "InstanceNoise.steps": steps}
        )
        self.level, self.steps = level, steps
        self._updates = tf.Variable(0, trainable=False, name="noisy_updates")
        self.variables = [self._updates]

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Images of any shape; noise is a hash of an image's two draws."""
        drawn = noise.normal(draws, tuple(images.shape[1:]))
        return images + tf.cast(self._level() * drawn, images.dtype)

    def advance(self, players: Sequence[str]) -> Mapping[str, tf.Tensor]:
        """The generator's updates count; the level is that of the update made."""
        level = self._level()
        if GENERATOR in players:
            self._updates.assign_add(1)
        return {"instance_noise": level}

    def _level(self) -> tf.Tensor:
        if not self.steps:
            return tf.constant(self.level, tf.float32)
        done = tf.cast(self._updates, tf.float32) / self.steps
        return self.level * tf.nn.relu(1 - done)


class DiffAugment(Augmentation):
    """The paper's transformations of pictures [batch, height, width, channels].

    Args:
      policy: which, in this order: "color" (brightness + U(−.5, .5); saturation ×
        U(0, 2) about a pixel's mean; contrast × U(.5, 1.5) about the image's mean),
        "translation" (zeros come in) and "cutout" (a square of zeros).
      translation: the largest shift as a part of height and width.
      cutout: the side of the square as a part of height and width.

    Raises:
      ConfigurationError: for an unknown transformation or a part outside of [0, 1].
    """

    def __init__(
        self,
        policy: Sequence[str] = ("color", "translation", "cutout"),
        translation: float = 0.125,
        cutout: float = 0.5,
    ) -> None:
        if isinstance(policy, str) or not set(policy) <= set(_TRANSFORMATIONS):
            raise ConfigurationError(
                "DiffAugment.policy is a tuple of transformations, of "
                f"{', '.join(_TRANSFORMATIONS)}, not {policy!r}"
            )
        for name, part in (("translation", translation), ("cutout", cutout)):
            if not 0 <= part <= 1:
                raise ConfigurationError(
                    f"DiffAugment.{name} is a part from 0 to 1, not {part}"
                )
        self.policy = tuple(policy)
        self.translation = translation
        self.cutout = cutout
        self.num_draws = sum(_TRANSFORMATIONS[name].num_draws for name in policy)

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Transforms each image by its own draws.

        Args:
          images: float [batch, height, width, channels].
          draws: float [batch, num_draws], uniform in [0, 1).

        Returns:
          Tensor of the images' shape and dtype.

        Raises:
          ConfigurationError: for examples that are no pictures.
        """
        if images.shape.rank != 4:
            raise ConfigurationError(
                "DiffAugment transforms pictures [height, width, channels], not "
                f"examples of shape {images.shape[1:]}: leave out Game.augmentation"
            )
        first = 0
        for name in self.policy:
            transformation = _TRANSFORMATIONS[name]
            own = draws[:, first : first + transformation.num_draws]
            images = transformation.apply(self, images, own)
            first += transformation.num_draws
        return images


def _color(_: DiffAugment, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    draws = tf.cast(draws, images.dtype)[:, :, None, None, None]
    images = images + (draws[:, 0] - 0.5)
    images = _about(tf.reduce_mean(images, 3, keepdims=True), images, 2 * draws[:, 1])
    mean = tf.reduce_mean(images, (1, 2, 3), keepdims=True)
    return _about(mean, images, draws[:, 2] + 0.5)


def _about(mean: tf.Tensor, images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    return mean + (images - mean) * factor


def _translation(own: DiffAugment, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """A product with a matrix for each axis: a place's row has a 1 at its source."""
    for axis, equation in ((0, "nyk,nkxc->nyxc"), (1, "nxk,nykc->nyxc")):
        size = images.shape[1 + axis]
        largest = int(size * own.translation + 0.5)
        shift = _whole(draws[:, axis], -largest, largest)
        places = tf.range(size)
        source = places - shift[:, None]  # [batch, size], of each place
        taken = tf.cast(source[..., None] == places, images.dtype)
        images = tf.einsum(equation, taken, images)
    return images


def _cutout(own: DiffAugment, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    inside = []
    for axis in (0, 1):
        size = images.shape[1 + axis]
        side = int(size * own.cutout + 0.5)
        # The authors' centers: a square of an even side may be centered on either edge.
        center = _whole(draws[:, axis], 0, size - side % 2)
        place = tf.range(size) - (center[:, None] - side // 2)
        inside.append((place >= 0) & (place < side))
    cut = inside[0][:, :, None] & inside[1][:, None, :]
    return images * tf.cast(~cut, images.dtype)[..., None]


def _whole(draws: tf.Tensor, least: int, most: int) -> tf.Tensor:
    """Uniform integers of least … most from uniform numbers in [0, 1)."""
    number = most - least + 1
    drawn = tf.cast(draws * number, tf.int32)  # Rounding may take it to `number`.
    return least + tf.minimum(drawn, number - 1)


class _Transformation(NamedTuple):
    num_draws: int
    apply: Callable[[DiffAugment, tf.Tensor, tf.Tensor], tf.Tensor]


_TRANSFORMATIONS = {
    "color": _Transformation(3, _color),
    "translation": _Transformation(2, _translation),
    "cutout": _Transformation(2, _cutout),
}
