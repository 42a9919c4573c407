"""XLA's flags where there is a GPU."""

import os
import subprocess
import sys

import pytest

from logan_tf import versions
from logan_tf.cli import xla


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("XLA_FLAGS", "TF_XLA_FLAGS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LOGAN_TF_CACHE", "/cache")


@pytest.fixture
def devices(tmp_path):
    (tmp_path / "nvidia0").touch()
    return tmp_path


def test_none_without_a_gpu(tmp_path):
    xla.prepare(tmp_path)
    assert (os.environ["XLA_FLAGS"], os.environ["TF_XLA_FLAGS"]) == ("", "")


def test_what_the_user_has_set_stays(devices, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_autotune_level=4 --xla_dump_to=/x")
    xla.prepare(devices)
    assert os.environ["XLA_FLAGS"].split() == [
        "--xla_gpu_autotune_level=4",
        "--xla_dump_to=/x",
        "--xla_gpu_enable_triton_gemm=false",
        "--xla_gpu_experimental_enable_fusion_autotuner=false",
    ]
    version = versions.installed("tensorflow")["tensorflow"]
    cache = f"--tf_xla_persistent_cache_directory=/cache/xla-{version}"
    assert os.environ["TF_XLA_FLAGS"] == cache


def test_a_version_that_may_not_know_them(devices, monkeypatch):
    monkeypatch.setattr(versions, "installed", lambda _: {"tensorflow": "2.19.1"})
    xla.prepare(devices)
    assert os.environ["XLA_FLAGS"] == ""


def test_this_tensorflow_knows_them(devices, monkeypatch, tmp_path):
    """XLA ends the process for a flag that it does not know."""
    monkeypatch.setenv("LOGAN_TF_CACHE", str(tmp_path / "cache"))
    xla.prepare(devices)
    script = (
        "import tensorflow as tf\n"
        "print(tf.function(lambda x: x + 1, jit_compile=True)(tf.zeros([])).numpy())"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "1.0\n", done.stderr
    assert list((tmp_path / "cache").glob("xla-*/*"))
