"""What reads samples: logits for scores, features for distances.

A SavedModel is a program, and loading one runs it (TensorFlow's SECURITY.md): name only
those whose source you trust.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.literal_paths import literal
from logan_tf.metrics import hub_modules
from logan_tf.metrics.hub_modules import SavedModelPath

_FEATURES, _LOGITS = "pool_3", "logits"
_SIDE = 299  # of the images that Inception was trained on
_ALIKE = 0.1  # at most so much of their norm do features differ that say the same


class Outputs(NamedTuple):
    """What a classifier says of images."""

    logits: np.ndarray | None
    """float32 [n, classes]; None of what does not classify."""
    features: np.ndarray
    """float32 [n, d]."""
    confidences: np.ndarray | None
    """float32 [n] in [0, 1]: how sure it is of the largest logit; None as these."""


class Classifier(Protocol):
    """Anything that reads images.

    Attributes:
      suffix: ends the names of its metrics; "" for Inception alone, whose FID is the
        one of the literature.
    """

    @property
    def suffix(self) -> str: ...

    def outputs(self, images: np.ndarray) -> Outputs:
        """Reads images uint8 [n, height, width, channels], n at least 1."""

    def fields(self) -> dict[str, Any]:
        """What a receipt says of it: `classifier`, and fields that begin so."""


class SavedModelClassifier:
    """A SavedModel with the outputs `pool_3` and, where it classifies, `logits`.

    Without logits there are neither inception scores nor modes. It is loaded when it is
    first needed.

    Args:
      path: its directory. A recipe may name it where the command line does too.
      name: its metrics are fid_<name>, is_<name>, …
      batch_size: how many images it reads at once.
      sha256: of its files' names and contents, as receipts have it: another model is
        refused before it is loaded. None: any.

    Raises:
      ConfigurationError: a name, a batch size or a hash that cannot be.
    """

    def __init__(
        self,
        path: SavedModelPath,
        name: str = "custom",
        batch_size: int = 64,
        sha256: str | None = None,
    ) -> None:
        require_at_least(1, batch_size=batch_size)
        if sha256 is not None:
            hub_modules.require_sha256(sha256)
        if not name.isidentifier():
            raise ConfigurationError(
                f"the classifier's name is {name!r}: give a word, it ends those of its "
                "metrics"
            )
        self.suffix = f"_{name}"
        self._needs_logits = False
        self._path = path
        self._batch_size = batch_size
        self._sha256 = sha256

    def outputs(self, images: np.ndarray) -> Outputs:
        """Reads uint8 images; gray ones as three equal channels.

        Raises:
          ConfigurationError: there is no such model, or it does not fit the images.
        """
        return joined(
            [
                self._read(images[first : first + self._batch_size])
                for first in range(0, len(images), self._batch_size)
            ]
        )

    def fields(self) -> dict[str, Any]:
        """The hash of the model's files, in short and whole."""
        name, sha256 = self.suffix.strip("_") or "inception", self._module.sha256
        return {"classifier": f"{name}:{sha256[:16]}", "classifier_sha256": sha256}

    def _read(self, images: np.ndarray) -> Outputs:
        # The last batch is filled up and cut again: one traced shape.
        missing = self._batch_size - len(images)
        padded = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)), mode="edge")
        pixels = tf.cast(padded, tf.float32) / 127.5 - 1.0
        if pixels.shape[-1] == 1:
            pixels = tf.image.grayscale_to_rgb(pixels)
        logits, features = self._run(self._prepared(pixels))
        count = len(images)
        if logits is None:
            return Outputs(None, features[:count], None)
        return Outputs(logits[:count], features[:count], confidences(logits[:count]))

    def _prepared(self, pixels: tf.Tensor) -> tf.Tensor:
        """What the model is given for float32 [n, h, w, 3] in [−1, 1]."""
        return pixels

    def _run(self, pixels: tf.Tensor) -> tuple[np.ndarray | None, np.ndarray]:
        """Logits, if there are any, and features, float32 [n, …] each."""
        forward = self._forward
        try:
            found = {
                key: output.numpy().reshape(len(pixels), -1)
                for key, output in forward(pixels).items()
                if key in (_LOGITS, _FEATURES)
            }
            logits = found[_LOGITS] if self._needs_logits else found.get(_LOGITS)
            return logits, found[_FEATURES]
        except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
            also = f"{_LOGITS} and " if self._needs_logits else ""
            raise ConfigurationError(
                f"the SavedModel {self._module.directory} does not read images "
                f"{tuple(pixels.shape)} to {also}{_FEATURES} "
                f"({type(error).__name__}): it must take float32 [n, height, width, 3] "
                "in [-1, 1]"
            ) from error

    @functools.cached_property
    def _module(self) -> hub_modules.Module:
        return hub_modules.resolve(self._path, self._sha256)

    @functools.cached_property
    def _forward(self) -> Any:
        """Runs the program that the SavedModel is."""
        directory = self._module.directory
        try:
            with literal(directory) as folder:
                model = tf.saved_model.load(str(folder))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ConfigurationError(
                f"the SavedModel {directory} cannot be loaded "
                f"({type(error).__name__}): copy or download it again"
            ) from error
        if callable(model):
            return model
        for name in ("serving_default", "default"):
            if name in model.signatures:
                function = model.signatures[name]
                # A signature keeps no reference to the variables of its model.
                function.model = model
                return function
        raise ConfigurationError(
            f"the SavedModel {directory} can neither be called nor has it the "
            "signature 'serving_default': save it with one"
        )


class Inception(SavedModelClassifier):
    """TF-GAN's Inception of 2015; its numbers are those of the literature.

    Args:
      path: the SavedModel's directory, or its own address; that is looked for in
        $TFHUB_CACHE_DIR, and downloaded where there is a network.
      batch_size: how many images it reads at once.
      sha256: as `SavedModelClassifier`. Without it, what comes from the address must be
        what came first.
    """

    def __init__(
        self,
        path: SavedModelPath = hub_modules.INCEPTION,
        batch_size: int = 64,
        sha256: str | None = None,
    ) -> None:
        super().__init__(path, "inception", batch_size, sha256)
        self.suffix = ""
        self._needs_logits = True

    def fields(self) -> dict[str, Any]:
        """The hash of the model's files, and who makes its 299×299 pixels.

        A module that is given resized images says so in its name: its numbers are not
        those of the same files without.
        """
        found = super().fields()
        if self._resizes:
            return found | {"classifier_input": "any size: the module resizes"}
        return found | {
            "classifier": f"{found['classifier']} {_SIDE}x{_SIDE}",
            "classifier_input": "resized here, as TF1 does",
        }

    def _prepared(self, pixels: tf.Tensor) -> tf.Tensor:
        return pixels if self._resizes else _resized(pixels)

    @functools.cached_property
    def _resizes(self) -> bool:
        """Whether the module's features of small pictures are those of large ones.

        The protocol of the literature relies on it, and TF-GAN 2.1 does not resize. An
        Inception that sees 32×32 pixels as they are has features of its own, or none.
        """
        # A module that cannot be had is refused here, and not asked for again below.
        small, _ = _ramps(), self._forward
        try:
            found = self._run(small)[1]
        except ConfigurationError:
            self._run(_resized(small))  # Which says what is wrong with it.
            return False
        expected = self._run(_resized(small))[1]
        difference = np.linalg.norm(found - expected)
        return bool(difference <= _ALIKE * np.linalg.norm(expected))


def _ramps() -> tf.Tensor:
    """Two smooth pictures of 32×32, float32 [2, 32, 32, 3] in [−1, 1]."""
    across = tf.broadcast_to(tf.linspace(-1.0, 1.0, 32), [32, 32])
    first = tf.stack([across, tf.transpose(across), -across], axis=-1)
    return tf.stack([first, tf.sin(3 * first)])


def _resized(pixels: tf.Tensor) -> tf.Tensor:
    """[n, 299, 299, 3] by TensorFlow 1's bilinear interpolation."""
    return tf.compat.v1.image.resize_bilinear(pixels, [_SIDE, _SIDE])


def joined(parts: Sequence[Outputs]) -> Outputs:
    """What a classifier said of one part of the images after the other."""
    logits, features, confident = (
        None if column[0] is None else np.concatenate(column)
        for column in zip(*parts, strict=True)
    )
    assert features is not None  # which there always are
    return Outputs(logits, features, confident)


def confidences(logits: np.ndarray) -> np.ndarray:
    """The largest softmax probability of logits [..., classes], float32 [...]."""
    # The largest exponential is exp(0) = 1.
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return 1.0 / shifted.sum(axis=-1)
