"""Reference statistics: ours for others, others' for us, and what is refused."""

import os

import numpy as np
import pytest

from logan_tf.errors import ConfigurationError
from logan_tf.evaluation import statistics_files
from logan_tf.evaluation.statistics_files import FeatureStatistics
from logan_tf.metrics.moments import moments_of

FEATURES = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
LABELS = np.arange(30, dtype=np.int32)
MU, SIGMA = np.zeros(4), np.eye(4)


def test_what_is_written_is_read(tmp_path):
    written = FeatureStatistics(moments_of(FEATURES), FEATURES, LABELS)
    statistics_files.write(tmp_path / "s.npz", written, classifier="c1")
    found = statistics_files.read(tmp_path / "s.npz", 4, classifier="c1")
    for a, b in zip(
        (*written.moments, *written[1:]), (*found.moments, *found[1:]), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert found.hash() == written.hash()
    other = FeatureStatistics(moments_of(FEATURES + 1e-3))
    assert other.hash() != written.hash()


def test_other_programs_read_ours(tmp_path):
    """As pytorch-fid, TTUR and BigGAN-PyTorch open theirs."""
    statistics = FeatureStatistics(moments_of(FEATURES), FEATURES)
    statistics_files.write(tmp_path / "s.npz", statistics, images="first 30")
    with np.load(tmp_path / "s.npz") as file:
        mu, sigma = file["mu"][:], file["sigma"][:]
        assert all(file[name].dtype != object for name in file.files)
        assert file["images"].shape == ()
    assert (mu.dtype, sigma.dtype) == (np.float64, np.float64)
    assert (mu.shape, sigma.shape) == ((4,), (4, 4))
    np.testing.assert_allclose(mu, FEATURES.astype(np.float64).mean(0), rtol=1e-9)
    np.testing.assert_allclose(sigma, np.cov(FEATURES, rowvar=False), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("extra", [{}, {"features": np.zeros(3), "labels": LABELS}])
def test_theirs_are_read(tmp_path, dtype, extra):
    np.savez(
        tmp_path / "t.npz", mu=MU.astype(dtype), sigma=SIGMA.astype(dtype), **extra
    )
    found = statistics_files.read(tmp_path / "t.npz", 4, classifier="mine")
    assert found.moments.mean.dtype == found.moments.covariance.dtype == np.float64
    np.testing.assert_array_equal(found.moments.covariance, SIGMA)
    assert (found.features, found.labels) == (None, None)


OBJECTS = np.array([{"a": 1}], dtype=object)
OURS = {"mu": MU, "sigma": SIGMA, "protocol": np.array(statistics_files.PROTOCOL)}
BAD = {
    "keys": ({"mean": MU, "cov": SIGMA}, "mean, cov.*must hold mu and sigma"),
    "no sigma": ({"mu": MU}, "must hold mu and sigma"),
    "nothing": ({}, "nothing"),
    "shape": ({"mu": MU, "sigma": SIGMA[:3]}, r"\(4,\).*\(3, 4\)"),
    "rank": ({"mu": MU[None], "sigma": SIGMA}, r"must be \[d\] and \[d, d\]"),
    "dimension": ({"mu": MU[:3], "sigma": SIGMA[:3, :3]}, "3 features.*has 4"),
    "NaN": ({"mu": MU, "sigma": SIGMA * np.nan}, "NaN"),
    "Inf": ({"mu": MU + np.inf, "sigma": SIGMA}, "NaN or Inf"),
    "integers": ({"mu": MU.astype(int), "sigma": SIGMA}, "must be floats"),
    "text": ({"mu": MU.astype(str), "sigma": SIGMA}, "must be floats"),
    "objects": ({"mu": OBJECTS, "sigma": SIGMA}, "cannot be read"),
    "objects beside": (OURS | {"more": OBJECTS}, "cannot be read"),
    "asymmetric": ({"mu": MU, "sigma": np.triu(np.ones((4, 4)))}, "no covariance"),
    "negative": ({"mu": MU, "sigma": -SIGMA}, "no covariance"),
    "protocol": (OURS | {"protocol": np.array("other/9")}, "protocol 'other/9'"),
    "classifier": (OURS | {"classifier": np.array("c9")}, "classifier 'c9'.*'c1'"),
    "features": (OURS | {"features": FEATURES[:, :3]}, "features"),
    "NaN features": (OURS | {"features": FEATURES * np.nan}, "features"),
    "labels": (OURS | {"features": FEATURES, "labels": LABELS[:9]}, "features"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(name, tmp_path):
    contents, cause = BAD[name]
    path = tmp_path / "bad.npz"
    np.savez(path, **contents)
    with pytest.raises(ConfigurationError, match=cause) as error:
        statistics_files.read(path, 4, classifier="c1")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_archives(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, mu=MU, sigma=SIGMA)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (b"", b"text", whole[:-30], whole[:40], bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="cannot be read"):
            statistics_files.read(path)
    with open(path, "wb") as file:
        np.save(file, MU)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        statistics_files.read(path)
    with pytest.raises(ConfigurationError, match="no statistics at"):
        statistics_files.read(tmp_path / "none.npz")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        statistics_files.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")  # Reading it would wait for ever.
    with pytest.raises(ConfigurationError, match="no regular file"):
        statistics_files.read(tmp_path / "pipe")
