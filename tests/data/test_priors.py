"""Truncated latents, against SciPy's distributions."""

import numpy as np
import tensorflow as tf
from scipy import stats

from logan_tf.data import priors


def test_normal_latents_are_truncated_as_resampling_would():
    """SciPy's truncated normal, by its own quantile function."""
    latents = priors.normal_prior((2000,), tf.constant([0, 1], tf.int64))
    for s in (0.02, 0.5, 0.9):
        found = priors.truncated(priors.normal_prior, latents, tf.constant(s)).numpy()
        exact = stats.truncnorm.ppf(stats.norm.cdf(latents), -2 * s, 2 * s)
        np.testing.assert_allclose(found, exact, atol=2e-4)
        assert np.abs(found).max() < 2 * s
        assert stats.kstest(found, stats.truncnorm(-2 * s, 2 * s).cdf).pvalue > 0.01
    whole = priors.truncated(priors.normal_prior, latents, tf.constant(1.0))
    np.testing.assert_array_equal(whole, latents)
    extreme = tf.constant([-50.0, 50.0])
    assert np.isfinite(priors.resampled(extreme, tf.constant(0.5))).all()


def test_uniform_latents_and_those_of_a_prior_of_ones_own_are_scaled():
    latents = tf.constant([[-1.0, 0.5]])
    for prior in (priors.uniform_prior, lambda shape, seed: tf.zeros(shape)):
        found = priors.truncated(prior, latents, tf.constant(0.5))
        np.testing.assert_array_equal(found, [[-0.5, 0.25]])
