"""The batch: all that is random in a step, as a function of (seed, attempt, step)."""

import re
from functools import partial
from typing import NamedTuple, Protocol

import tensorflow as tf

from logan_tf.data import pixels, random_access
from logan_tf.data.priors import Prior, uniform_prior
from logan_tf.errors import BadDataError, ConfigurationError

# Streams of a step's seed.
_LATENTS, _FAKE_LABELS, _IMAGE_DRAWS, _FAKE_DRAWS = range(4)
_READING = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.UnknownError,  # Of a reader in Python.
)
_REFUSAL = re.compile(rf"-?\d+ {pixels.UNCLASSED} .*num_classes")
_INT64 = range(-(2**63), 2**63)


class Batch(NamedTuple):
    """What one step consumes.

    Attributes:
      images: float32 [batch, images_per_step, *shape]; pictures are in [-1, 1].
      labels: int32 [batch, images_per_step], the classes of `images`.
      latents: float32 [batch, latents_per_step, latent_dim], drawn from the prior.
      fake_labels: int32 [batch, latents_per_step], uniform over the classes.
      image_draws: float32 [batch, images_per_step, num_draws], uniform in [0, 1),
        for what is random in the use of an image; () where nothing is.
      fake_draws: the same for latents, [batch, latents_per_step, num_draws].
    """

    images: tf.Tensor
    labels: tf.Tensor
    latents: tf.Tensor
    fake_labels: tf.Tensor
    image_draws: tf.Tensor | tuple[()] = ()
    fake_draws: tf.Tensor | tuple[()] = ()


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
        self,
        *,
        seed: tuple[int, int],
        first: int,
        count: int,
        rows: slice = random_access.ALL_ROWS,
    ) -> tf.data.Dataset:
        """Training examples number `first`, `first` + 1, ... without end.

        Args:
          seed: draws the order; (seed, attempt) of the run.
          first: the number of the first example, >= 0.
          count: examples in each element.
          rows: those of the `count` that are wanted; no others are gathered or
            decoded. Which examples they are depends on nothing else.

        Returns:
          Elements (images float32 [count, *shape], labels int32 [count]), both cut
          to `rows`.

        Raises:
          ConfigurationError: the data set has fewer than `count` examples.
          BadDataError: the data cannot be read.
        """


class Part(NamedTuple):
    """Which part of each global batch a host makes, and for how many replicas.

    Hosts, and the replicas of a host, have consecutive rows of the global batch.

    Attributes:
      host: the number of this host.
      num_hosts: each makes the same number of rows.
      num_replicas: of this host; each takes one element a step.
    """

    host: int = 0
    num_hosts: int = 1
    num_replicas: int = 1


WHOLE = Part()


def batches(
    dataset: Dataset,
    *,
    batch_size: int,
    latent_dim: int,
    prior: Prior = uniform_prior,
    images_per_step: int = 1,
    latents_per_step: int = 1,
    num_draws: int = 0,
    seed: int,
    attempt: int = 0,
    first_step: int = 0,
    part: Part = WHOLE,
) -> tf.data.Dataset:
    """An endless, deterministic and prefetched pipeline, one `Batch` a step.

    A pipeline that starts at `first_step` = s yields what one from 0 yields after s
    batches, bit for bit. Latents depend on neither the data nor `images_per_step`.
    The parts of all hosts and replicas, put together in order, are the global batch.

    Args:
      dataset: the training examples.
      batch_size: global, of one update.
      latent_dim: dimension of z.
      prior: (shape, seed) -> latents.
      images_per_step: batches of real examples a step, one per discriminator update.
      latents_per_step: batches of latents and fake labels a step.
      num_draws: uniform numbers for each image and each latent; whatever it is, all
        else in a batch is the same.
      seed: the run's seed, a 64-bit integer.
      attempt: counts the rollbacks after a NaN; another attempt sees other batches.
      first_step: step of the first batch; 0 is the first update.
      part: of a host; its pipeline yields an element per replica and step.

    Returns:
      Elements `Batch`, of static shapes: each a replica's rows of the global batch.

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
    _require_integers(0, num_draws=num_draws, attempt=attempt, first_step=first_step)
    _require_integers(_INT64.start, seed=seed)
    rows = _rows(batch_size, part)
    per_step = batch_size * images_per_step
    real = dataset.examples(
        seed=(seed, attempt),
        first=first_step * per_step,
        count=per_step,
        rows=slice(rows.start * images_per_step, rows.stop * images_per_step),
    )
    draw = partial(
        drawn,
        seed=(seed, attempt),
        batch_size=batch_size,
        latent_dim=latent_dim,
        prior=prior,
        images_per_step=images_per_step,
        latents_per_step=latents_per_step,
        num_draws=num_draws,
        num_classes=dataset.num_classes,
        rows=rows,
    )

    def assemble(real: tuple, drawn: Drawn) -> Batch:
        shape = (rows.stop - rows.start, images_per_step)
        images = tf.reshape(real[0], (*shape, *dataset.shape))
        return Batch(images, tf.reshape(real[1], shape), *drawn)

    steps = random_access.chunks(draw, first=first_step, count=1)
    pipeline = tf.data.Dataset.zip(real, steps).map(assemble)
    return _finish(_split(pipeline, part.num_replicas))


def require_intact(dataset: Dataset, error: tf.errors.OpError) -> None:
    """Looks for damaged files after an iterator's error, which names none.

    Args:
      dataset: that was read; one that streams files has a `find_damage`, () -> path.
      error: what the iterator raised.

    Raises:
      ConfigurationError: a record has a label without a class.
      BadDataError: a file is damaged; names it.
    """
    if refusal := _REFUSAL.search(error.message):
        raise ConfigurationError(refusal[0]) from error
    find_damage = getattr(dataset, "find_damage", None)
    if find_damage is None or not isinstance(error, _READING):
        return
    if (path := find_damage()) is not None:
        raise BadDataError(
            f"{path} has damaged or missing records ({type(error).__name__}): put an "
            "intact copy in its place"
        ) from error


def _rows(batch_size: int, part: Part) -> slice:
    """The rows of the global batch that a host makes."""
    shares = part.num_hosts * part.num_replicas
    if batch_size % shares:
        raise ConfigurationError(
            f"batch_size {batch_size} cannot be split evenly into {shares} parts."
        )
    each = batch_size // part.num_hosts
    return slice(part.host * each, (part.host + 1) * each)


class Drawn(NamedTuple):
    """What is drawn for a step, whatever the data; as `Batch` has it."""

    latents: tf.Tensor
    fake_labels: tf.Tensor
    image_draws: tf.Tensor | tuple[()]
    fake_draws: tf.Tensor | tuple[()]


def drawn(
    step: tf.Tensor,
    *,
    seed: tuple[int, int],
    batch_size: int,
    latent_dim: int,
    prior: Prior,
    images_per_step: int,
    latents_per_step: int,
    num_draws: int,
    num_classes: int,
    rows: slice = random_access.ALL_ROWS,
) -> Drawn:
    """Draws for the global batch of a step, then cuts to `rows`; see `batches`."""

    def seed_of(stream: int) -> tf.Tensor:
        return random_access.derive_seed(tf.constant(seed, tf.int64), step, stream)

    def numbers(number: int, stream: int) -> tf.Tensor | tuple[()]:
        if not num_draws:
            return ()
        shape = (batch_size, number, num_draws)
        return random_access.uniform(shape, seed_of(stream))[rows]

    shape = (batch_size, latents_per_step)
    labels = _uniform_labels(shape, seed_of(_FAKE_LABELS), num_classes)
    return Drawn(
        prior((*shape, latent_dim), seed_of(_LATENTS))[rows],
        labels[rows],
        numbers(images_per_step, _IMAGE_DRAWS),
        numbers(latents_per_step, _FAKE_DRAWS),
    )


def _split(pipeline: tf.data.Dataset, num_replicas: int) -> tf.data.Dataset:
    """Each element as that of the first replica, the second, ..."""
    if num_replicas == 1:
        return pipeline

    def part(x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(x, (num_replicas, -1, *x.shape[1:]))

    return pipeline.map(lambda batch: tf.nest.map_structure(part, batch)).unbatch()


def _finish(pipeline: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    pipeline = pipeline.with_options(options).prefetch(tf.data.AUTOTUNE)
    # Several workers would else ask each other before every batch whether there is one.
    return pipeline.apply(
        tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    )


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
