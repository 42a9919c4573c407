"""Latent steps in evaluation: first order, linear in their number, no side effects."""

from collections import Counter

import keras
import pytest
import tensorflow as tf

from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.networks import sngan


@pytest.fixture(scope="module")
def game():
    keras.utils.set_random_seed(0)
    generator = sngan.Generator(16, 1, 2, 6)
    discriminator = sngan.Discriminator(16, 1, 2)
    discriminator(generator(tf.zeros((2, 6))))
    optimizer = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 0.1))
    return Game(generator, discriminator, latent_rule=LatentRule(optimizer))


def _executed(function):
    """How often each type of operation is executed for the function's outputs.

    A graph also holds what tracing left behind unused; TensorFlow prunes it, unless it
    has side effects.
    """
    graph = (
        tf.function(function)
        .get_concrete_function(tf.TensorSpec((4, 6), tf.float32))
        .graph
    )
    waiting = [tensor.op for tensor in graph.outputs]
    waiting += [op for op in graph.get_operations() if "Assign" in op.type]
    seen = {}
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen[operation.name] = operation.type
            waiting += [tensor.op for tensor in operation.inputs]
    return Counter(seen.values())


def _steps(game, num_steps):
    def score(latents):
        return game.score(latents, tf.zeros(4, tf.int32))

    def optimize(latents):
        return game.latent_rule.optimizer.with_steps(num_steps)(latents, score)

    return optimize


def test_steps_cost_the_same_each_and_build_no_second_order(game):
    counts = [_executed(_steps(game, k)) for k in (1, 2, 3, 6)]
    sizes = [sum(count.values()) for count in counts]
    assert sizes[3] - sizes[2] == 3 * (sizes[2] - sizes[1]) > 0
    for k, count in zip((1, 2, 3, 6), counts, strict=True):
        # Five convolutions of D, one and two transposed ones of G. The gradient of each
        # kind in what it convolves is the other kind.
        assert count["Conv2D"] == count["Conv2DBackpropInput"] == k * (5 + 1 + 2)
        assert count["Conv2DBackpropFilter"] == 0
        assert not [kind for kind in count if "Assign" in kind]


def test_differentiating_through_a_step_does_build_it(game):
    """So the test above can fail."""

    def differentiate(latents):
        with tf.GradientTape() as tape:
            moved, _ = _steps(game, 1)(latents)
        return tape.gradient(
            moved, [v.value for v in game.discriminator.trainable_variables]
        )

    assert _executed(differentiate)["Conv2DBackpropFilter"] > 0
