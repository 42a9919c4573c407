"""What a training step costs, read off its graph; needs no data."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import keras
import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.training import live_memory
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep

_CONVOLUTIONS = ("Conv", "DepthwiseConv")
_MATRIX_PRODUCTS = ("MatMul", "BatchMatMul", "Einsum")


class Cost(NamedTuple):
    """What a step of the global batch takes, and each replica's share of it."""

    generator_parameters: int
    discriminator_parameters: int
    operations: int
    """Of all replicas together."""
    replica_state: int
    """Bytes of a replica's weights, averages, optimizers and accumulators."""
    replica_peak: int
    """Bytes that its largest update holds besides; see `live_memory.peak`."""


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


_NO_OPERATIONS = Operations(0, 0, 0)


class ForwardPass(NamedTuple):
    """Operations of a forward pass of the global batch through each network."""

    generator: int
    discriminator: int


def measure(
    experiment: Experiment, strategy: tf.distribute.Strategy, num_replicas: int = 1
) -> Cost:
    """The networks' sizes, and the operations and the memory of a step.

    Args:
      experiment: created in the strategy's scope.
      strategy: of one replica.
      num_replicas: that shall share the batch.
    """
    step = TrainStep(experiment, strategy)
    operations, peak = _NO_OPERATIONS, 0
    for times, function in _programs(step, experiment, num_replicas):
        operations = operations.plus(count(function), times)
        peak = max(peak, live_memory.peak(function))
    return Cost(
        _num_parameters(experiment.generator),
        _num_parameters(experiment.discriminator),
        num_replicas * operations.total,
        _num_bytes(experiment, step),
        peak,
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
    total = _NO_OPERATIONS
    for times, function in _programs(TrainStep(experiment, strategy), experiment, 1):
        total = total.plus(count(function), times)
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
      function: of static shapes. A loop counts as often as it turns, and as nothing
        where that is not known.

    Returns:
      Its `Operations`.
    """
    return _count(function.graph)


def _count(graph: tf.Graph) -> Operations:
    total = _count_outside_of_loops(graph)
    for operation in live_memory.needed(graph):
        if loop := live_memory.loop_of(operation):
            total = total.plus(_count(loop.body), loop.turns)
    return total


def _count_outside_of_loops(graph: tf.Graph) -> Operations:
    kept = [output.op.name for output in graph.outputs]
    kept += [operation.name for operation in graph.control_outputs]
    pruned = tf.compat.v1.graph_util.extract_sub_graph(
        graph.as_graph_def(add_shapes=True), kept
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


def batch_spec(experiment: Experiment, num_replicas: int = 1) -> Batch:
    """The shapes and dtypes of one step's batch, a replica's part of it."""
    size = experiment.batch_size // num_replicas
    images = experiment.images_per_step
    latents = experiment.latents_per_step
    draws = {}
    if number := experiment.game.num_draws:
        draws = {
            "image_draws": tf.TensorSpec([size, images, number]),
            "fake_draws": tf.TensorSpec([size, latents, number]),
        }
    return Batch(
        images=tf.TensorSpec([size, images, *experiment.dataset.shape]),
        labels=tf.TensorSpec([size, images], tf.int32),
        latents=tf.TensorSpec([size, latents, experiment.latent_dim]),
        fake_labels=tf.TensorSpec([size, latents], tf.int32),
        **draws,
    )


def _programs(
    step: TrainStep, experiment: Experiment, num_replicas: int
) -> Iterator[tuple[int, tf.types.experimental.ConcreteFunction]]:
    """What a replica does in a step: how often, and its traced function."""
    spec = batch_spec(experiment, num_replicas)
    for update in experiment.schedule.updates:
        for times, program in step.programs(update.players):
            run = tf.function(partial(step.on_replicas, program))
            yield update.repeats * times, run.get_concrete_function(spec)


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


def _num_bytes(experiment: Experiment, step: TrainStep) -> int:
    """Of all variables that a replica holds."""
    held = [*tf.nest.flatten(experiment.state()), *step.accumulation.variables]
    return sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
        for variable in held
    )
