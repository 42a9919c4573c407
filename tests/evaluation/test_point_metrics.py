import math

import numpy as np
import pytest

from logan_tf.data.points import Ring
from logan_tf.errors import DivergedError
from logan_tf.evaluation.point_metrics import PointsModes
from logan_tf.sampling.settings import SamplingSettings

SETTINGS = SamplingSettings(5, latent_steps=2, truncation=0.5)


def test_points(played_sampler):
    ring = Ring()
    points = np.repeat(ring.modes[:4], 25, axis=0).astype(np.float32)
    points[:10] += 1.0
    sampler = played_sampler(points)
    found = PointsModes(ring).evaluate(sampler, 100, SETTINGS)
    assert sampler.asked == [SETTINGS]
    assert found["modes"] == {"value": 4, "of": 8}
    assert found["high_quality"]["value"] == pytest.approx(0.9)
    assert found["reverse_kl"]["value"] >= math.log(2) - 1e-9


def test_a_diverged_generator_is_named_so(played_sampler):
    points = np.full((10, 2), np.inf, np.float32)
    with pytest.raises(DivergedError, match="checkpoint"):
        PointsModes(Ring()).evaluate(played_sampler(points), 10, SETTINGS)


def test_real_points_are_in_their_modes():
    protocol = PointsModes(Ring())
    num, control = protocol.held_out(num_samples=500, seed=3)
    assert (num, control["modes"]["value"]) == (500, 8)
    assert control["high_quality"]["value"] > 0.97
