"""A training step is what a TPU demands: compiled whole, of static shapes, no host.

No TPU is needed: XLA compiles the same graph for the CPU. TensorFlow's TPU builds
bring XLA for the TPU alone, so under them only the graph is looked at.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from logan_tf.game import latent, objectives
from logan_tf.game.game import Game
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.schedules import Alternating, Simultaneous
from logan_tf.networks import sngan
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.step import TrainStep

SIZE, WIDTH, DIM, BATCH, STEPS = 8, 2, 4, 4, 3

NATURAL = functools.partial(latent.natural_gradient_step, step_size=0.9, damping=0.1)
PLAIN = functools.partial(latent.gradient_step, step_size=0.1)

# The step, the schedule, the number of micro-batches.
CASES = {
    "logan_simultaneous": (NATURAL, Simultaneous(), 1),
    "csgan_alternating": (PLAIN, Alternating(1), 1),
    "baseline_simultaneous": (None, Simultaneous(), 1),
    "baseline_loops": (None, Alternating(2), 2),
    "logan_alternating": (NATURAL, Alternating(2), 1),
}
SLOW = ("logan_alternating", "csgan_alternating")


def adam():
    # An ε far above rounding: with the usual one Adam turns the rounding of a gradient
    # that is zero (biases before a batch norm) into a step of the learning rate.
    return keras.optimizers.Adam(0.01, beta_1=0.5, epsilon=1e-2)


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in CASES
    ]
)
def experiment(request, toy, ten_pictures):
    """() → one of the cases; each call starts from the same weights."""
    step, schedule, accumulation = CASES[request.param]
    optimizer = step and latent.LatentOptimizer(step, fraction=0.75)

    def game(generator, discriminator):
        return Game(
            generator,
            discriminator,
            objectives.hinge,
            LatentRule(optimizer, regularizer_weight=0.1 if step else 0.0),
        )

    return lambda: toy(
        dataset=ten_pictures(SIZE),
        generator=lambda: sngan.Generator(SIZE, width=WIDTH, latent_dim=DIM),
        discriminator=lambda: sngan.Discriminator(SIZE, width=WIDTH),
        optimizer=adam,
        game=game,
        schedule=schedule,
        averaging=ExponentialMovingAverage(0.5, start_step=1),
        batch_size=BATCH,
        accumulation=accumulation,
    )


def traced(experiment, *, compiled: bool):
    """The step as a `tf.function` of batches of the pipeline's own shapes."""
    step = TrainStep(experiment, tf.distribute.get_strategy())
    function = tf.function(step.one_step, jit_compile=compiled)
    return function.get_concrete_function(experiment.batches().element_spec)


def test_every_shape_is_known_and_the_host_is_not_asked(experiment):
    built = experiment()
    for spec in tf.nest.flatten(built.batches().element_spec):
        assert spec.shape.is_fully_defined()
    graph = traced(built, compiled=True).graph
    graphs = [graph, *bodies_of_loops(graph)]
    operations = [each for of_one in graphs for each in of_one.get_operations()]
    assert len(operations) > 100
    for operation in operations:
        for output in operation.outputs:
            # A loop's condition has placeholders for what it does not look at.
            unshaped = output.dtype in (tf.resource, tf.variant)
            if output.consumers() and not unshaped:
                assert output.shape.is_fully_defined(), operation.name
    used = {operation.type for operation in operations}
    # A step that holds other functions would have operations unseen here.
    assert len(graph.as_graph_def().library.function) == len(graphs) - 1
    # All that is random is in the batch; Python and the input stay on the host.
    for part in ("Random", "Multinomial", "PyFunc", "Iterator", "Dataset", "Print"):
        assert not [name for name in used if part in name]


def bodies_of_loops(graph) -> list[tf.Graph]:
    """The conditions and bodies of the loops in a graph, nested ones too."""
    found = []
    for operation in graph.get_operations():
        if operation.type in ("While", "StatelessWhile"):
            for part in ("cond", "body"):
                name = operation.get_attr(part).name
                of_part = graph._get_function(name).graph
                found += [of_part, *bodies_of_loops(of_part)]
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_the_compiled_step_has_the_same_weights_and_metrics(experiment, state):
    found = []
    for compiled in (False, True):
        built = experiment()
        start = state(built)
        function = traced(built, compiled=compiled)
        rows = [function(batch).numpy() for batch in built.batches().take(STEPS)]
        found.append((state(built), np.array(rows)))
    (plain, plain_rows), (xla, xla_rows) = found
    trios = zip(plain, start.values(), plain.values(), xla.values(), strict=True)
    moved = []
    # Observed: 1e-6; the order of sums differs.
    for name, before, expected, value in trios:
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5, err_msg=name)
        moved.append(np.abs(expected - before).max() > 1e-3)
    assert np.mean(moved) > 1 / 3
    np.testing.assert_allclose(xla_rows, plain_rows, rtol=1e-3, atol=1e-4)
    _require_kernels(function.graph)


def _require_kernels(graph) -> None:
    """Each operation has kernels for every XLA backend, the CPU's and the GPU's.

    Those registered for some backends only (host calls, cuDNN) are refused. XLA
    registers its kernels when it first compiles, so this comes after.
    """
    graphs = [graph, *bodies_of_loops(graph)]
    for name in {each.type for of_one in graphs for each in of_one.get_operations()}:
        registered = kernels.get_registered_kernels_for_op(name).kernel
        devices = {kernel.device_type for kernel in registered}
        # A placeholder is an argument of the compiled function.
        compiles = {"XLA_CPU_JIT", "XLA_GPU_JIT"} <= devices
        assert compiles or name == "Placeholder", name
