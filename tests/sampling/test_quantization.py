"""Images in [−1, 1] as bytes."""

import numpy as np
import pytest

from logan_tf.errors import DivergedError
from logan_tf.sampling import sampler


def test_quantization_rounds_to_the_nearest_level():
    levels = np.arange(256, dtype=np.uint8)
    exact = levels.astype(np.float32) / np.float32(127.5) - 1
    np.testing.assert_array_equal(sampler.to_uint8(exact), levels)
    values = np.random.default_rng(0).uniform(-1.2, 1.2, 1000)
    expected = [min(255, max(0, int(127.5 * x + 128))) for x in values]
    np.testing.assert_array_equal(sampler.to_uint8(values), expected)
    assert sampler.to_uint8(exact).dtype == np.uint8


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_quantization_refuses_what_is_no_picture(bad):
    with pytest.raises(DivergedError, match="checkpoint"):
        sampler.to_uint8(np.array([0.0, bad]))
