"""What a training step costs, read off its graph; needs no data."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import keras
import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep

_CONVOLUTIONS = ("Conv", "DepthwiseConv")
_MATRIX_PRODUCTS = ("MatMul", "BatchMatMul", "Einsum")


class Cost(NamedTuple):
    """Parameters of the players and operations of one step of the global batch."""

    generator_parameters: int
    discriminator_parameters: int
    operations: int


class Operations(NamedTuple):
    """Floating-point operations; one multiplication and one addition count two."""

    convolutions: int
    """Forward, and backward to inputs and to kernels."""
    matrix_products: int
    """Dense layers, and spectral normalization's products of a matrix and a vector."""
    others: int
    """Elementwise operations and sums, as far as TensorFlow counts them."""

    @property
    def products(self) -> int:
        """Convolutions and matrix products, the work that the floor is made of."""
        return self.convolutions + self.matrix_products

    @property
    def total(self) -> int:
        """All that is counted."""
        return self.products + self.others

    def plus(self, others: "Operations", times: int) -> "Operations":
        """These, and those so many times."""
        pairs = zip(self, others, strict=True)
        return Operations(*(own + times * other for own, other in pairs))


class ForwardPass(NamedTuple):
    """Operations of a forward pass of the global batch through each network."""

    generator: int
    discriminator: int


def measure(experiment: Experiment, strategy: tf.distribute.Strategy) -> Cost:
    """The networks' sizes and the operations of a step; see `count_step`."""
    return Cost(
        _num_parameters(experiment.generator),
        _num_parameters(experiment.discriminator),
        count_step(experiment, strategy).total,
    )


def count_step(experiment: Experiment, strategy: tf.distribute.Strategy) -> Operations:
    """Traces a step's updates, one of each kind, and counts what all of them take.

    What nothing depends on is left out, as the executor leaves it out.

    Args:
      experiment: created in the strategy's scope.
      strategy: of one replica.

    Returns:
      The `Operations` of a step of the global batch.
    """
    step, spec = TrainStep(experiment, strategy), batch_spec(experiment)
    total = Operations(0, 0, 0)
    for players, repeats in experiment.schedule.updates:
        for stage in step.stages(players):
            run = tf.function(partial(step.run_stage, stage))
            counted = count(run.get_concrete_function(spec))
            total = total.plus(counted, times=repeats * stage.repeats)
    return total


def count_forward_pass(experiment: Experiment) -> ForwardPass:
    """Products in a forward pass of each network, for a whole batch.

    Work that does not grow with the batch (spectral norms) is no part of it: it need
    not be repeated for every pass.
    """
    labels = tf.TensorSpec([None], tf.int32)
    latents = tf.TensorSpec([None, experiment.latent_dim])
    images = tf.TensorSpec([None, *experiment.dataset.shape])
    return ForwardPass(
        _per_batch(
            lambda z, y: experiment.generator(z, y, training=True),
            (latents, labels),
            experiment.batch_size,
        ),
        _per_batch(experiment.discriminator, (images, labels), experiment.batch_size),
    )


def count(function: tf.types.experimental.ConcreteFunction) -> Operations:
    """Counts the operations that a traced function's results depend on.

    Args:
      function: of static shapes, without loops: a loop's body counts as nothing.

    Returns:
      Its `Operations`.
    """
    kept = [output.op.name for output in function.graph.outputs]
    kept += [operation.name for operation in function.graph.control_outputs]
    pruned = tf.compat.v1.graph_util.extract_sub_graph(
        function.graph.as_graph_def(add_shapes=True), kept
    )
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(pruned, name="")
        options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        options["output"] = "none"
        node = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    counts = {"convolutions": 0, "matrix_products": 0, "others": 0}
    while node.children:  # One type of operation below the other.
        (node,) = node.children
        counts[_kind(node.name)] += node.float_ops
    return Operations(**counts)


def batch_spec(experiment: Experiment) -> Batch:
    """The shapes and dtypes of one step's batch."""
    size, schedule = experiment.batch_size, experiment.schedule
    images, latents = schedule.images_per_step, schedule.latents_per_step
    return Batch(
        images=tf.TensorSpec([size, images, *experiment.dataset.shape]),
        labels=tf.TensorSpec([size, images], tf.int32),
        latents=tf.TensorSpec([size, latents, experiment.latent_dim]),
        fake_labels=tf.TensorSpec([size, latents], tf.int32),
        **_draws_spec(experiment),
    )


def _draws_spec(experiment: Experiment) -> dict[str, tf.TensorSpec]:
    size, schedule, number = (
        experiment.batch_size,
        experiment.schedule,
        experiment.game.num_draws,
    )
    if not number:
        return {}
    return {
        "image_draws": tf.TensorSpec([size, schedule.images_per_step, number]),
        "fake_draws": tf.TensorSpec([size, schedule.latents_per_step, number]),
    }


def _kind(operation: str) -> str:
    if operation.startswith(_CONVOLUTIONS):
        return "convolutions"
    return "matrix_products" if operation.startswith(_MATRIX_PRODUCTS) else "others"


def _per_batch(
    network: Callable, inputs: tuple[tf.TensorSpec, ...], batch_size: int
) -> int:
    """The part of a pass's products that grows with the batch."""
    few, many = (
        count(
            tf.function(network).get_concrete_function(
                *(tf.TensorSpec([size, *x.shape[1:]], x.dtype) for x in inputs)
            )
        ).products
        for size in (batch_size, 2 * batch_size)
    )
    return many - few


def _num_parameters(network: keras.Model) -> int:
    return sum(
        variable.shape.num_elements() for variable in network.trainable_variables
    )
