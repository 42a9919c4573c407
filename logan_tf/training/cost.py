"""What a training step costs, read off its graph; needs no data."""

from typing import NamedTuple

import keras
import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep


class Cost(NamedTuple):
    """Parameters of the players and operations of one step of the global batch."""

    generator_parameters: int
    discriminator_parameters: int
    operations: int


def measure(experiment: Experiment, strategy: tf.distribute.Strategy) -> Cost:
    """Traces one step and counts its floating-point operations.

    Convolutions and matrix products count two operations per multiplication and
    addition; what nothing depends on is left out, as the executor leaves it out.

    Args:
      experiment: created in the strategy's scope.
      strategy: of one replica.

    Returns:
      A `Cost`.
    """
    step = TrainStep(experiment, strategy)
    traced = tf.function(step.one_step).get_concrete_function(_batch_spec(experiment))
    kept = [output.op.name for output in traced.outputs]
    kept += [operation.name for operation in traced.graph.control_outputs]
    pruned = tf.compat.v1.graph_util.extract_sub_graph(
        traced.graph.as_graph_def(add_shapes=True), kept
    )
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(pruned, name="")
        options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        options["output"] = "none"
        profile = tf.compat.v1.profiler.profile(graph, options=options)
    return Cost(
        _num_parameters(experiment.generator),
        _num_parameters(experiment.discriminator),
        profile.total_float_ops,
    )


def _num_parameters(network: keras.Model) -> int:
    return sum(
        variable.shape.num_elements() for variable in network.trainable_variables
    )


def _batch_spec(experiment: Experiment) -> Batch:
    size, schedule = experiment.batch_size, experiment.schedule
    images, latents = schedule.images_per_step, schedule.latents_per_step
    return Batch(
        images=tf.TensorSpec([size, images, *experiment.dataset.shape]),
        labels=tf.TensorSpec([size, images], tf.int32),
        latents=tf.TensorSpec([size, latents, experiment.latent_dim]),
        fake_labels=tf.TensorSpec([size, latents], tf.int32),
    )
