"""The batch: all that is random in a step, as a function of (seed, attempt, step)."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

from logan_tf.data import random_access
from logan_tf.errors import ConfigurationError

_LATENTS, _FAKE_LABELS = 0, 1  # Streams of a step's seed.
_INT64 = range(-(2**63), 2**63)

Prior = Callable[[tuple[int, ...], tf.Tensor], tf.Tensor]


class Batch(NamedTuple):
    """What one step consumes.

    Attributes:
        images: float32 [batch, images_per_step, *shape]; pictures are in [-1, 1].
        labels: int32 [batch, images_per_step], the classes of `images`.
        latents: float32 [batch, latents_per_step, latent_dim], drawn from the prior.
        fake_labels: int32 [batch, latents_per_step], uniform over the classes.
    """

    images: tf.Tensor
    labels: tf.Tensor
    latents: tf.Tensor
    fake_labels: tf.Tensor


class Dataset(Protocol):
    """Training examples in an order that depends on a seed alone.

    Attributes:
        shape: the shape of one example, (height, width, channels) or (2,).
        num_classes: labels are in [0, num_classes); 0 without labels.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def num_classes(self) -> int: ...

    def examples(
        self, *, seed: tuple[int, int], first: int, count: int
    ) -> tf.data.Dataset:
        """Training examples number `first`, `first` + 1, ... without end.

        Args:
            seed: draws the order; (seed, attempt) of the run.
            first: the number of the first example, >= 0.
            count: examples in each element.

        Returns:
            Elements (images float32 [count, *shape], labels int32 [count]).

        Raises:
            ConfigurationError: the data set has fewer than `count` examples.
            BadDataError: the data cannot be read.
        """


def uniform_prior(shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
    """Draws a float32 tensor of `shape` from U(-1, 1); `seed`: int tensor [2]."""
    return tf.random.stateless_uniform(shape, seed, -1.0, 1.0, alg="philox")


def normal_prior(shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
    """Draws a float32 tensor of `shape` from N(0, I); `seed`: int tensor [2]."""
    return tf.random.stateless_normal(shape, seed, alg="philox")


def batches(
    dataset: Dataset,
    *,
    batch_size: int,
    latent_dim: int,
    prior: Prior = uniform_prior,
    images_per_step: int = 1,
    latents_per_step: int = 1,
    seed: int,
    attempt: int = 0,
    first_step: int = 0,
) -> tf.data.Dataset:
    """An endless, deterministic and prefetched pipeline, one `Batch` a step.

    A pipeline that starts at `first_step` = s yields what one from 0 yields after s
    batches, bit for bit. Latents depend on neither the data nor `images_per_step`.

    Args:
        dataset: the training examples.
        batch_size: global, of one update.
        latent_dim: dimension of z.
        prior: (shape, seed) -> latents.
        images_per_step: batches of real examples a step, one per discriminator update.
        latents_per_step: batches of latents and fake labels a step.
        seed: the run's seed, a 64-bit integer.
        attempt: counts the rollbacks after a NaN; another attempt sees other batches.
        first_step: step of the first batch; 0 is the first update.

    Returns:
        Elements `Batch`, of static shapes.

    Raises:
        ConfigurationError: a number that cannot work; more examples than there are.
        BadDataError: the data cannot be read.
    """
    _require_integers(
        1,
        batch_size=batch_size,
        latent_dim=latent_dim,
        images_per_step=images_per_step,
        latents_per_step=latents_per_step,
    )
    _require_integers(0, attempt=attempt, first_step=first_step)
    _require_integers(_INT64.start, seed=seed)
    per_step = batch_size * images_per_step
    examples = dataset.examples(
        seed=(seed, attempt), first=first_step * per_step, count=per_step
    )
    run_seed, num_classes = tf.constant((seed, attempt), tf.int64), dataset.num_classes

    def fakes(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        latent_seed = random_access.derive_seed(run_seed, step, _LATENTS)
        label_seed = random_access.derive_seed(run_seed, step, _FAKE_LABELS)
        shape = (batch_size, latents_per_step)
        latents = prior((*shape, latent_dim), latent_seed)
        return latents, _uniform_labels(shape, label_seed, num_classes)

    def assemble(real: tuple, fake: tuple) -> Batch:
        shape = (batch_size, images_per_step)
        images = tf.reshape(real[0], (*shape, *dataset.shape))
        return Batch(images, tf.reshape(real[1], shape), *fake)

    steps = random_access.chunks(fakes, first=first_step, count=1)
    pipeline = tf.data.Dataset.zip(examples, steps).map(assemble)
    return _deterministic(pipeline).prefetch(tf.data.AUTOTUNE)


def _deterministic(pipeline: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    return pipeline.with_options(options)


def _uniform_labels(shape: tuple, seed: tf.Tensor, num_classes: int) -> tf.Tensor:
    if num_classes == 0:
        return tf.zeros(shape, tf.int32)
    return tf.random.stateless_uniform(
        shape, seed, 0, num_classes, tf.int32, alg="philox"
    )


def _require_integers(minimum: int, **values: int) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigurationError(f"{name} must be an integer, not {value!r}.")
        if value < minimum or value not in _INT64:
            at_least = (
                f"at least {minimum}" if minimum in (0, 1) else "a 64-bit integer"
            )
            raise ConfigurationError(f"{name} must be {at_least}, not {value}.")
