"""The digit classifier's network and its deterministic training.

Every seed is explicit: Keras would otherwise draw one from Python's global generator
for each initializer, and a run's own numbers would depend on when it is evaluated.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from logan_tf import progress

NUM_CLASSES = 10
LAST_SIZE = 8  # the images are halved until no side is longer


@dataclasses.dataclass(frozen=True)
class TrainingRecipe:
    """All that determines the classifier besides the data."""

    version: int = 1  # raised by whoever changes the code of this module
    width: int = 32
    num_features: int = 64
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 3e-3
    shift: float = 1 / 16  # largest shift, as a share of the size
    seed: int = 20191201


LARGE = TrainingRecipe(epochs=6, batch_size=128)
"""For data sets of tens of thousands of pictures, which need fewer looks at each."""


def build(size: int, recipe: TrainingRecipe) -> keras.Model:
    """Images float32 [n, size, size, 1] in [-1, 1] -> logits [n, 10], features [n, d].

    Strided convolutions down to 8 x 8 or less, one more, one dense layer of
    `recipe.num_features` (rectified: the features), the logits.
    """
    seeds = iter(range(recipe.seed, recipe.seed + 100))

    def arguments(name: str, activation: str | None = "relu") -> dict:
        # float32 whatever policy the run has set for its own networks.
        initializer = keras.initializers.HeNormal(seed=next(seeds))
        return {
            "activation": activation,
            "kernel_initializer": initializer,
            "dtype": "float32",
            "name": name,
        }

    images = keras.Input((size, size, 1), dtype="float32", name="images")
    x, side = images, size
    while side > LAST_SIZE:
        x = keras.layers.Conv2D(
            recipe.width, 3, 2, "same", **arguments(f"halve_{side}")
        )(x)
        side = (side + 1) // 2
    x = keras.layers.Conv2D(2 * recipe.width, 3, 2, "same", **arguments("last"))(x)
    x = keras.layers.Flatten(dtype="float32", name="flatten")(x)
    features = keras.layers.Dense(recipe.num_features, **arguments("features"))(x)
    logits = keras.layers.Dense(NUM_CLASSES, **arguments("logits", None))(features)
    return keras.Model(images, (logits, features), name="digit_classifier")


def train(
    images: np.ndarray, labels: np.ndarray, recipe: TrainingRecipe
) -> list[np.ndarray]:
    """Trains a fresh network: Adam, cosine decay, shifted copies of the images.

    Args:
      images: uint8 [n, size, size, 1].
      labels: integers [n] in [0, 10).

    Returns:
      the weights, in the order of `keras.Model.get_weights`.
    """
    model = build(images.shape[1], recipe)
    per_epoch = len(images) // recipe.batch_size
    decay = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate, recipe.epochs * per_epoch
    )
    update = _make_update(model, keras.optimizers.Adam(decay))
    generator = np.random.default_rng(recipe.seed)
    margin = max(1, round(recipe.shift * images.shape[1]))
    with progress.bar(total=recipe.epochs, desc="digit classifier") as bar:
        for _ in range(recipe.epochs):
            order = generator.permutation(len(images))[: per_epoch * recipe.batch_size]
            for rows in order.reshape(per_epoch, recipe.batch_size):
                batch = _shifted(images[rows], margin, generator)
                update(batch / np.float32(127.5) - 1.0, labels[rows])
            bar.update()
    return model.get_weights()


def _make_update(
    model: keras.Model, optimizer: keras.Optimizer
) -> Callable[[np.ndarray, np.ndarray], None]:
    """One traced step of the cross-entropy's descent."""
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def update(batch: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits, _ = model(batch, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )

    return update


def _shifted(
    images: np.ndarray, margin: int, generator: np.random.Generator
) -> np.ndarray:
    """Moves each image by up to `margin` pixels a side; black (0) moves in."""
    size = images.shape[1]
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    corners = generator.integers(0, 2 * margin + 1, (len(images), 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
    moved = windows[np.arange(len(images)), corners[:, 0], corners[:, 1]]
    return np.moveaxis(moved, 1, -1)
