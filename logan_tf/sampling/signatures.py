"""The functions of an exported generator, by the names of its SavedModel.

Every one checks its inputs inside the graph: whoever serves it has nothing else.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from logan_tf.layers.custom_gradients import forward_only
from logan_tf.sampling.graph import Samples, SamplingGraph

_NUM = tf.TensorSpec([], tf.int32, "num")
_COLUMNS = tf.TensorSpec([], tf.int32, "columns")
_LATENT_STEPS = tf.TensorSpec([], tf.int32, "latent_steps")
_TRUNCATION = tf.TensorSpec([], tf.float32, "truncation")
_SEED = tf.TensorSpec([], tf.int64, "seed")
_LABELS = tf.TensorSpec([None], tf.int32, "labels")

Inputs = dict[str, tf.Tensor]


class Signatures:
    """What is exported of a sampling graph.

    Args:
      graph: its generator has `conditional = True` if it looks at labels; it holds
        the standing statistics of `serving_default`.
      standing_batches: batches behind the standing statistics of every other
        function, collected at each call for its seed, truncation and latent steps.
      standing_batch_size: their size.
      discriminator: whether to include it, and with it the latent steps.
    """

    def __init__(
        self,
        graph: SamplingGraph,
        standing_batches: int,
        standing_batch_size: int,
        discriminator: bool = True,
    ) -> None:
        self.conditional = bool(getattr(graph.generator, "conditional", False))
        self.discriminator = discriminator
        self.latent_steps = discriminator and graph.latent_move is not None
        self._samples = graph
        self._standing = {
            "num_batches": standing_batches,
            "batch_size": standing_batch_size,
        }
        # One graph that all functions call: tracing large networks takes minutes.
        self._collect_and_draw = tf.function(self._fitting, autograph=False)
        self._dim = graph.generator.latent_dim

    def functions(self) -> dict[str, Any]:
        """Concrete functions of named inputs, by signature."""
        latents = tf.TensorSpec([None, self._dim], tf.float32, "latents")
        images = tf.TensorSpec([None, *self._samples.shape], tf.float32, "images")
        settings = [_NUM, _TRUNCATION, _LATENT_STEPS, _SEED]
        signatures = {
            "serving_default": (self._serve, [latents]),
            "sample": (self._sample, [_NUM, _TRUNCATION, _SEED]),
            "draw": (self._draw, settings),
            "interpolate": (self._draw, [*settings, _COLUMNS]),
        }
        if self.latent_steps:
            optimized = [_NUM, _LATENT_STEPS, _SEED]
            signatures["sample_optimized"] = (self._sample, optimized)
        if self.discriminator:
            signatures["score"] = (self._score, [images])
        return {name: self._concrete(*of) for name, of in signatures.items()}

    def description(self) -> dict[str, Any]:
        """The part of the receipt that says what the functions take and do."""
        return {
            "latent_dim": self._dim,
            "image_shape": list(self._samples.shape),
            "num_classes": self._samples.num_classes,
            "conditional": self.conditional,
            "discriminator": self.discriminator,
            "latent_optimizer": self.latent_steps,
            "batch_size": self._samples.batch_size,
        }

    def _concrete(self, function: Callable, specs: list[tf.TensorSpec]) -> Any:
        """A concrete function; labels are an input where the networks look at them."""
        if self.conditional:
            specs = [*specs, _LABELS]

        @tf.function(input_signature=specs, autograph=False)
        def signature(*values: tf.Tensor) -> dict[str, tf.Tensor]:
            names = (spec.name for spec in specs)
            return function(dict(zip(names, values, strict=True)))

        return signature.get_concrete_function()

    def _serve(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        checks = [_has_width(inputs["latents"], "latents", [self._dim])]
        with tf.control_dependencies(checks):
            latents = tf.identity(inputs["latents"])
            labels = self._batch_labels(inputs, tf.shape(latents)[0])
        with forward_only():
            images = self._samples.generator(latents, labels, training=False)
        return {"images": tf.cast(images, tf.float32)}

    def _score(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        checks = [_has_width(inputs["images"], "images", self._samples.shape)]
        with tf.control_dependencies(checks):
            images = tf.identity(inputs["images"])
            labels = self._batch_labels(inputs, tf.shape(images)[0])
        with forward_only():
            scores = self._samples.discriminator(images, labels)
        return {"scores": tf.cast(scores, tf.float32)}

    def _sample(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        if self.conditional:
            inputs["labels"] = self._batch_labels(inputs, inputs["num"])
        return {"images": self._drawn(inputs).images}

    def _draw(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        return self._drawn(inputs)._asdict()

    def _drawn(self, inputs: Inputs) -> Samples:
        """With standing statistics made for these very settings, as `bin/sample`."""
        with tf.control_dependencies(self._checks(inputs)):
            num, seed = tf.identity(inputs["num"]), tf.identity(inputs["seed"])
            truncation = tf.identity(inputs.get("truncation", tf.constant(1.0)))
        steps = inputs.get("latent_steps", tf.constant(0))
        labels = inputs.get("labels", tf.zeros([0], tf.int32))
        columns = inputs.get("columns", tf.constant(0))
        return self._collect_and_draw(num, seed, truncation, steps, labels, columns)

    def _fitting(
        self,
        num: tf.Tensor,
        seed: tf.Tensor,
        truncation: tf.Tensor,
        latent_steps: tf.Tensor,
        labels: tf.Tensor,
        columns: tf.Tensor,
    ) -> Samples:
        first = tf.constant(0, tf.int64)
        steps = latent_steps if self.latent_steps else None
        settings = seed, truncation, steps
        statistics = self._samples.collect(*settings, **self._standing)
        return self._samples.draw(first, num, *settings, labels, statistics, columns)

    def _checks(self, inputs: Inputs) -> list[tf.Operation]:
        num = inputs["num"]
        checks = [_require(num >= 1, "num must be at least 1, not", num)]
        if "truncation" in inputs:
            factor = inputs["truncation"]
            inside = (factor > 0) & (factor <= 1)
            message = "truncation must be above 0 and at most 1, not"
            checks.append(_require(inside, message, factor))
        if "latent_steps" in inputs:
            steps = inputs["latent_steps"]
            most = "at least 0" if self.latent_steps else "0 (no latent optimizer)"
            possible = steps >= 0 if self.latent_steps else tf.equal(steps, 0)
            message = f"latent_steps must be {most}, not"
            checks.append(_require(possible, message, steps))
        if "columns" in inputs:
            columns = inputs["columns"]
            rows = (columns >= 2) & tf.equal(num % tf.maximum(columns, 1), 0)
            message = "columns must be at least 2 and a divisor of num, not"
            checks.append(_require(rows, message, columns))
        if "labels" in inputs:
            count = tf.size(inputs["labels"])
            fits = tf.equal(count, 0) | tf.equal(count, num)
            message = "labels must be num classes, or none to draw them, not"
            checks += [_require(fits, message, count), self._are_classes(inputs)]
        return checks

    def _batch_labels(self, inputs: Inputs, num: tf.Tensor) -> tf.Tensor:
        """The labels of `num` examples; zeros for networks that ignore them."""
        if not self.conditional:
            return tf.zeros([num], tf.int32)
        count = tf.size(inputs["labels"])
        message = "labels must be one class an example, not"
        fits = _require(tf.equal(count, num), message, count)
        with tf.control_dependencies([fits, self._are_classes(inputs)]):
            return tf.identity(inputs["labels"])

    def _are_classes(self, inputs: Inputs) -> tf.Operation:
        labels, most = inputs["labels"], self._samples.num_classes - 1
        inside = tf.reduce_all((labels >= 0) & (labels <= most))
        return _require(inside, f"labels must be 0 to {most}, not", labels)


def _require(condition: tf.Tensor, message: str, value: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(condition, [message, value], summarize=8)


def _has_width(
    values: tf.Tensor, name: str, wanted: tuple[int, ...] | list[int]
) -> tf.Operation:
    """Callers may hand over other dimensions than the signature says."""
    # Through a placeholder, lest the static shape decide and the check go.
    found = tf.shape(tf.raw_ops.PlaceholderWithDefault(input=values, shape=None))
    fits = tf.cond(
        tf.equal(tf.size(found), 1 + len(wanted)),
        lambda: (found[0] > 0) & tf.reduce_all(tf.equal(found[1:], list(wanted))),
        lambda: False,
    )
    shape = f"[n, {', '.join(map(str, wanted))}]"
    return _require(fits, f"{name} must be {shape}, n at least 1, not", found)
