"""Experiments in mixed bfloat16: what stays float32, and how close gradients are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.benchmarks.variants import noise
from logan_tf.errors import ConfigurationError
from logan_tf.game.game import PLAYERS, Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.objectives import hinge
from logan_tf.game.round import Round
from logan_tf.networks import sngan


class Pictures:
    shape, num_classes = (8, 8, 3), 0


def game(generator, discriminator) -> Game:
    """With the paper's settings for ImageNet.

    Those for CIFAR amplify what is rounded: at β = .1 and small ‖g‖ the step is nine
    times g, and the cosine of the generator's gradient is .976 here.
    """
    step = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 5.0), fraction=0.5)
    return Game(generator, discriminator, hinge, LatentRule(step, 300.0))


@pytest.fixture(scope="module")
def pair(toy):
    """The same SN-GAN in both precisions, with the same weights."""

    def build(precision):
        return toy(
            dataset=Pictures(),
            generator=lambda: sngan.Generator(8, width=8, latent_dim=8),
            discriminator=lambda: sngan.Discriminator(8, width=8),
            game=game,
            batch_size=32,
            precision=precision,
        )

    built = {name: build(name) for name in ("float32", "mixed_bfloat16")}
    for name in ("generator", "discriminator"):
        networks = (getattr(experiment, name) for experiment in built.values())
        for own, other in zip(
            *(network.variables for network in networks), strict=True
        ):
            other.assign(own)
    return built


def test_the_policy_is_that_of_the_networks_alone(pair):
    assert keras.config.dtype_policy().name == "float32"
    for name, compute in (("float32", "float32"), ("mixed_bfloat16", "bfloat16")):
        experiment = pair[name]
        for network in ("generator", "averaged_generator", "discriminator"):
            layers = getattr(experiment, network)._flatten_layers()
            assert {layer.compute_dtype for layer in layers} <= {compute, "float32"}
            assert compute in {layer.compute_dtype for layer in layers}
        for optimizer in experiment.optimizers.values():
            assert not any(v.dtype == "bfloat16" for v in optimizer.variables)


def test_losses_and_the_latent_step_are_float32(pair):
    experiment = pair["mixed_bfloat16"]
    round_ = Round.of(noise(experiment), 0)
    seen = []

    def step(gradient):
        seen.append(gradient)
        return 0.1 * gradient

    game, optimizer = experiment.game, experiment.latent_optimizer
    optimizer.step, own = step, optimizer.step
    outcome = game.play(round_)
    optimizer.step = own
    (gradient,) = seen
    assert gradient.dtype == tf.float32
    assert game.score(round_.latents, round_.fake_labels).dtype == tf.float32
    assert {metric.dtype for metric in outcome.metrics.values()} == {tf.float32}
    for player in PLAYERS:
        assert {g.dtype for g in outcome.gradients[player]} == {tf.float32}


def test_gradients_are_those_of_float32_nearly(pair):
    """Of each player as one long vector: cosine .99 or more, norm within 5 %."""
    batch = noise(pair["float32"])
    round_ = Round.of(batch, 0)
    exact, rounded = (
        pair[name].game.play(round_).gradients for name in ("float32", "mixed_bfloat16")
    )
    for player in PLAYERS:
        a, b = (
            np.concatenate([np.ravel(g) for g in gradients[player]])
            for gradients in (exact, rounded)
        )
        norms = np.linalg.norm(a), np.linalg.norm(b)
        assert a @ b / (norms[0] * norms[1]) >= 0.99
        assert abs(norms[1] / norms[0] - 1) < 0.05
        assert np.abs(a - b).max() > 1e-4 * np.abs(a).max(), "nothing was rounded"


def test_an_unknown_policy(toy):
    with pytest.raises(ConfigurationError, match="one of float32, mixed_bfloat16, not"):
        toy(precision="float16")
    assert keras.config.dtype_policy().name == "float32"
