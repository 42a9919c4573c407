"""Moves of latents before sampling, on scores whose answers have closed forms."""

import json

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data.priors import normal_prior, uniform_prior
from logan_tf.errors import ConfigurationError
from logan_tf.sampling.latent_moves import Langevin, OptimalTransport

CENTER = tf.constant([0.8, -0.1])


def flat(latents):
    return tf.zeros_like(latents[:, 0])


def moved(move, latents, score, steps):
    """As the sampling graph does it."""
    begun = move.begin(latents, score)

    @tf.function
    def many(latents):
        for _ in tf.range(steps):
            latents = move(latents, begun, score)
        return latents

    return many(latents).numpy()


def test_langevin_has_the_variance_of_its_discrete_chain():
    """Of N(0, I): x' = (1 − ε/2) x + √ε n has 1 / (1 − ε/4), which is no longer 1."""
    step = 0.5
    move = Langevin(step, precision=1.0, bounds=None)
    found = moved(move, normal_prior((20_000, 2), tf.constant([1, 2])), flat, 40)
    assert found.var() == pytest.approx(1 / (1 - step / 4), rel=0.02)
    assert abs(found.mean()) < 0.02
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.02


def test_langevin_follows_the_score():
    """p(z) exp f(z) of N(0, I) and f = −½·3‖z‖² is N(0, ¼)."""

    def score(latents):
        return -1.5 * tf.reduce_sum(latents**2, -1)

    move = Langevin(0.02, precision=1.0, bounds=None)
    found = moved(move, normal_prior((5000, 2), tf.constant([1, 2])), score, 300)
    assert found.var() == pytest.approx(0.25 / (1 - 0.02), rel=0.05)


def test_reflection_keeps_a_uniform_prior_even():
    latents = uniform_prior((20_000, 2), tf.constant([1, 2]))
    found = moved(Langevin(0.3), latents, flat, 30)
    assert np.abs(found).max() <= 1
    counts, _ = np.histogram(found, 10, (-1, 1))
    assert counts.min() > 0.93 * found.size / 10
    assert counts.max() < 1.07 * found.size / 10


def test_transport_stops_where_the_slope_is_that_of_the_way():
    """f = −½ a ‖y − c‖² has the slope k at the distance k / a from c."""
    a, k = 4.0, 1.0

    def score(latents):
        return -a / 2 * tf.reduce_sum((latents - CENTER) ** 2, -1)

    start = tf.constant([[0.0, 0.0], [0.7, -0.8], [0.75, -0.05]])
    found = moved(OptimalTransport(0.01, k, bounds=None), start, score, 600)
    way = CENTER - start
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    expected = CENTER - k / a * way / distance
    np.testing.assert_allclose(found[:2], expected[:2], atol=0.02)
    np.testing.assert_allclose(found[2], start[2], atol=0.02)  # Not worth the way.


def test_the_slope_is_estimated_by_pairs():
    def score(latents):
        return 3 * latents[:, 0]

    latents = tf.constant([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    start, slope = OptimalTransport().begin(latents, score)
    np.testing.assert_array_equal(start, latents)
    assert float(slope) == pytest.approx(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Langevin(0.0), "step_size must be above 0"),
        (lambda: Langevin(precision=-1.0), "precision must be 0"),
        (lambda: Langevin(bounds=(1.0, 1.0)), "bounds must be"),
        (lambda: OptimalTransport(-1.0), "step_size must be above 0"),
        (lambda: OptimalTransport(slope=0.0), "slope must be above 0"),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_a_run_is_judged_after_other_moves_and_its_receipt_says_so(command, tmp_path):
    """A run without a latent optimizer has none of its own."""
    run = tmp_path / "run"
    small = ("total_steps = 1", "batch_size = 4", "sample_every = 0")
    flags = [f"--gin_param={each}" for each in small]
    command("train", "--gin_file=ring_baseline", f"--run_dir={run}", *flags)
    asked = [f"--run_dir={run}", "--latent_steps=2", "--num_samples=50"]
    refused = command("evaluate", *asked)
    assert refused.exit_code == 2
    move = [
        "--gin_param=Evaluator.latent_move = @Langevin()",
        "--gin_param=Langevin.bounds = None",
    ]
    assert command("evaluate", *asked, *move).exit_code == 0
    (path,) = (run / "evaluations").glob("*.json")
    receipt = json.loads(path.read_text())["receipt"]
    assert receipt["latent_move"] == "Langevin(0.01, 0, None)"
    assert receipt["latent_steps"] == 2
