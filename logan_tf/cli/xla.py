"""How XLA compiles for a GPU: quickly, and once.

With its own settings XLA took more than 255 s for a step of BigGAN-deep on an H100,
with these 92 to 140 s, for less than 2.5 % of the step's speed. What it compiled for a
GPU is kept, so that a resumed run does not compile again.
"""

import os
from pathlib import Path

from logan_tf import versions
from logan_tf.installation import cache_dir

_FLAGS = {
    "xla_gpu_enable_triton_gemm": "false",
    "xla_gpu_experimental_enable_fusion_autotuner": "false",
    "xla_gpu_autotune_level": "2",
}
_CACHE = "tf_xla_persistent_cache_directory"
# XLA ends the process for a flag that it does not know; this version knows all of them.
_LEAST = (2, 21)
_DEVICES = ("nvidia[0-9]*", "dxg", "kfd")  # In /dev; dxg is Windows', kfd AMD's.


def prepare(devices: Path = Path("/dev")) -> None:
    """Sets XLA's flags where there is a GPU; those that the user has set stay.

    Before TensorFlow is imported: XLA reads them once.

    Args:
      devices: where the system's devices are.
    """
    version = versions.installed("tensorflow")["tensorflow"] or "0.0"
    if tuple(map(int, version.split(".")[:2])) < _LEAST:
        return
    if not any(found for kind in _DEVICES for found in devices.glob(kind)):
        return
    _add("XLA_FLAGS", _FLAGS)
    # A program is of one version.
    _add("TF_XLA_FLAGS", {_CACHE: str(cache_dir() / f"xla-{version}")})


def _add(variable: str, settings: dict[str, str]) -> None:
    given = os.environ.get(variable, "")
    added = [f"--{name}={x}" for name, x in settings.items() if name not in given]
    os.environ[variable] = " ".join([*given.split(), *added])
