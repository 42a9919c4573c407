"""Trains a classifier of keras.applications on labeled pictures, resumably.

An epoch is a function of (seed, epoch) and of the state that the one before it left,
and that state is saved whole: a training that was killed goes on from its last epoch,
on one CPU to the same bits.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from logan_tf import progress
from logan_tf.accuracy import classifier_epochs
from logan_tf.accuracy.classifier_input import ClassifierInput
from logan_tf.data import random_access
from logan_tf.errors import (
    ConfigurationError,
    first_line,
    require_at_least,
    suggestion,
)

Architecture = Callable[[tuple[int, int, int], int], keras.Model]
"""(shape of an image, number of classes) -> a model from images to logits."""


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """Labeled pictures.

    Attributes:
      labels: int32 [n].
      pictures: uint8 [n, height, width, channels]; may be a file that is mapped.
      num_classes: labels are below it.
    """

    labels: np.ndarray
    pictures: np.ndarray
    num_classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""
        return self.pictures.shape[1:]


class ClassifierTraining:
    """How a classifier is built and trained: momentum or another optimizer, one cosine.

    Args:
      architecture: the name of a network in keras.applications, which starts from
        random weights, or a function (shape, classes) -> keras.Model with logits.
      pictures: what it sees; None: the whole picture.
      optimizer: learning_rate=schedule -> a Keras optimizer; None: SGD with momentum
        .9.
      epochs: passes over the training set, 1 or more.
      batch_size: an epoch leaves out what fills no batch; each epoch something else.
      learning_rate: the highest; it falls to 0 along half a cosine.
      warmup_epochs: over which it rises linearly from 0 first (Goyal et al. 2017).
      statistics_momentum: of the batch normalizations' running statistics, which the
        test sees. keras.applications has .99, which after the few hundred steps of
        a small data set still remembers its start; the original ResNets have .9.
      weight_decay: λ of the loss's λ/2 ‖w‖² over the kernels, not biases, scales and
        shifts.
      seed: of the weights, of the order and of the crops.

    Raises:
      ConfigurationError: a number out of its range, or no such architecture.
    """

    def __init__(
        self,
        architecture: str | Architecture = "ResNet50",
        pictures: ClassifierInput | None = None,
        optimizer: Callable[..., keras.optimizers.Optimizer] | None = None,
        epochs: int = 90,
        batch_size: int = 256,
        learning_rate: float = 0.1,
        warmup_epochs: int = 0,
        weight_decay: float = 1e-4,
        statistics_momentum: float = 0.9,
        seed: int = 0,
    ) -> None:
        require_at_least(1, epochs=epochs, batch_size=batch_size)
        require_at_least(
            0,
            learning_rate=learning_rate,
            warmup_epochs=warmup_epochs,
            weight_decay=weight_decay,
            statistics_momentum=statistics_momentum,
            seed=seed,
        )
        if warmup_epochs >= epochs:
            raise ConfigurationError(
                f"the classifier warms up for {warmup_epochs} of {epochs} epochs: "
                "lower ClassifierTraining.warmup_epochs"
            )
        if isinstance(architecture, str):
            _require_application(architecture)
        self._architecture = architecture
        self._pictures = pictures or ClassifierInput()
        self._optimizer = optimizer or _momentum
        self._epochs = epochs
        self._batch_size = batch_size
        self._learning_rate = learning_rate
        self._warmup_epochs = warmup_epochs
        self._weight_decay = weight_decay
        self._statistics_momentum = statistics_momentum
        self._seed = seed

    def describe(self, shape: tuple[int, ...]) -> str:
        """All that changes a number, in words.

        Args:
          shape: of the pictures.
        """
        name = self._architecture
        if not isinstance(name, str):
            name = getattr(name, "__name__", type(name).__name__)
        size = "x".join(map(str, self._pictures.shape(shape)))
        return (
            f"{name} {size} {self._pictures.describe()} epochs={self._epochs} "
            f"batch={self._batch_size} {_describe_optimizer(self._optimizer)} "
            f"rate={self._learning_rate:g} warmup={self._warmup_epochs} "
            f"decay={self._weight_decay:g} "
            f"statistics={self._statistics_momentum:g} seed={self._seed}"
        )

    def build(self, shape: tuple[int, ...], num_classes: int) -> keras.Model:
        """An untrained classifier of pictures of a shape; its weights are the seed's.

        Raises:
          ConfigurationError: the architecture does not take such images.
        """
        keras.utils.set_random_seed(self._seed)
        seen = self._pictures.shape(shape)
        if not isinstance(self._architecture, str):
            model = self._architecture(seen, num_classes)
        else:
            try:
                model = getattr(keras.applications, self._architecture)(
                    weights=None,
                    input_shape=seen,
                    classes=num_classes,
                    classifier_activation=None,
                )
            except ValueError as error:
                raise ConfigurationError(
                    f"{self._architecture} cannot be built for images {seen} "
                    f"({first_line(error)}): set ClassifierInput.size"
                ) from error
        if tuple(model.output_shape) != (None, num_classes):
            raise ConfigurationError(
                f"the classifier's outputs are {model.output_shape}: it must give one "
                f"logit for each of {num_classes} classes"
            )
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = self._statistics_momentum
        return model

    def train(self, examples: TrainingSet, folder: Path, name: str) -> keras.Model:
        """Trains a classifier, from the last epoch that the folder holds on.

        Args:
          examples: what to train on.
          folder: of the epochs' checkpoints, of this training alone.
          name: says on the screen what it learns from.

        Raises:
          ConfigurationError: fewer examples than a batch.
          DivergedError: the loss is NaN or infinite.
          BadDataError: a checkpoint cannot be written.
        """
        steps = len(examples.labels) // self._batch_size
        if not steps:
            raise ConfigurationError(
                f"the classifier's batch_size is {self._batch_size}, and there are "
                f"{len(examples.labels)} training images: lower "
                "ClassifierTraining.batch_size"
            )
        model = self.build(examples.shape, examples.num_classes)
        self._decay(model)
        model.compile(
            self._optimizer(learning_rate=self._schedule(steps)),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        model.optimizer.build(model.trainable_variables)
        epochs = classifier_epochs.Epochs(model, folder)
        done = epochs.restore()
        if done == self._epochs:
            return model
        batches = self._batches(examples, done * steps, self._epochs * steps)
        print(f"training a classifier on {name}: {self._epochs} epochs", flush=True)
        with progress.bar(
            total=self._epochs * steps,
            initial=done * steps,
            unit=" batches",
            desc=f"classifier of {name}",
        ) as bar:
            seen = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda _, logs: bar.update(),
                on_epoch_end=lambda _, logs: bar.set_postfix(logs, refresh=False),
            )
            model.fit(
                batches,
                epochs=self._epochs,
                initial_epoch=done,
                steps_per_epoch=steps,
                shuffle=False,
                verbose=0,
                callbacks=[seen, epochs],
            )
        return model

    def logits(
        self, model: keras.Model, parts: Iterable[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """What a classifier says of pictures: float32 [n, classes] for each part.

        Args:
          model: trained.
          parts: uint8 [n, height, width, channels] each.

        Raises:
          DivergedError: NaN or Inf among the logits.
        """

        @tf.function(reduce_retracing=True)
        def forward(images: tf.Tensor) -> tf.Tensor:
            return model(self._pictures.to_test(images), training=False)

        for images in parts:
            chunks = range(0, len(images), self._batch_size)
            logits = np.concatenate(
                [forward(images[i : i + self._batch_size]).numpy() for i in chunks]
            )
            if not np.isfinite(logits).all():
                raise classifier_epochs.diverged("says NaN or Inf of real images")
            yield logits

    def _schedule(self, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
        warmup = self._warmup_epochs * steps
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else self._learning_rate,
            decay_steps=self._epochs * steps - warmup,
            warmup_target=self._learning_rate if warmup else None,
            warmup_steps=warmup,
        )

    def _decay(self, model: keras.Model) -> None:
        """Gives the loss its term of weight decay.

        Not the optimizers' own `weight_decay`: that of SGD does not pass through the
        momentum, so the 1e-4 of the literature would be a tenth of it.
        """
        for variable in model.trainable_variables:
            if self._weight_decay and len(variable.shape) > 1:
                variable.regularizer = keras.regularizers.L2(self._weight_decay / 2)

    def _batches(self, examples: TrainingSet, first: int, stop: int) -> tf.data.Dataset:
        """Batches number `first` to stop - 1, each a function of (seed, number)."""
        seed = tf.constant([self._seed, 0], tf.int64)
        num_examples, size = len(examples.labels), self._batch_size
        with tf.device("CPU:0"):
            labels = tf.constant(examples.labels)

        def load(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            indices = random_access.shuffled_indices(
                seed, position, count=size, num_examples=num_examples
            )
            rows = examples.pictures.__getitem__
            images = tf.numpy_function(rows, [indices], tf.uint8, stateful=False)
            images = tf.ensure_shape(images, [size, *examples.shape])
            words = random_access.random_words(seed, position, size)
            return self._pictures.to_train(images, words), tf.gather(labels, indices)

        positions = tf.data.Dataset.range(first * size, stop * size, size)
        batches = positions.map(load, tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)


def _momentum(learning_rate: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(learning_rate, momentum=0.9)


def _describe_optimizer(factory: Callable[..., keras.optimizers.Optimizer]) -> str:
    """The optimizer's name and what it was given, such as SGD(momentum=0.9)."""
    optimizer = factory(learning_rate=0.0)
    defaults = type(optimizer)(learning_rate=0.0).get_config()
    given = [
        f"{name}={value}"
        for name, value in optimizer.get_config().items()
        if name != "name" and value != defaults.get(name)
    ]
    return f"{type(optimizer).__name__}({','.join(given)})"


def _require_application(name: str) -> None:
    known = [n for n in dir(keras.applications) if n[0].isupper()]
    if name not in known:
        raise ConfigurationError(
            f"keras.applications has no {name!r}{suggestion(name, known)}"
        )
