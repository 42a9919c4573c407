"""Whether XLA compiles a training step: where that was measured to pay.

TensorFlow's own kernels and XLA's round differently, so a run must not change its mind:
the choice depends on the kind of device and the configuration alone, which a run
records, and never on a clock.
"""

import math
from typing import Any

import tensorflow as tf

from logan_tf.errors import ConfigurationError

AUTO = "auto"

_MOST_STEPS = 16
_MOST_BYTES = 2**26

# By kind of device. CPU: an SN-GAN's step took 1.45 to 1.55 times as long. GPU: XLA's
# program of it took 1/2.7 to 1/6.9 of the time of PyTorch's (see benchmarks/README.md).
_PAYS = {"CPU": False, "GPU": True}


def pays(strategy: tf.distribute.Strategy, jit_compile: bool | str = AUTO) -> bool:
    """Whether XLA is to compile the whole step.

    Args:
      strategy: of the run. A TPU's compiles what it runs anyway, and is not asked.
      jit_compile: whether to, or "auto": where it pays on this kind of device.

    Raises:
      ConfigurationError: for another value, or if it cannot be: replicas on one host
        meet in operations that XLA does not compile.
    """
    if jit_compile not in (True, False, AUTO):
        raise ConfigurationError(
            f"Trainer.jit_compile is True, False or 'auto', not {jit_compile!r}"
        )
    if isinstance(strategy, tf.distribute.TPUStrategy):
        return False
    alone = strategy.num_replicas_in_sync == 1
    if jit_compile == AUTO:
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return alone and _PAYS[kind]
    if jit_compile and not alone:
        raise ConfigurationError(
            "Trainer.jit_compile = True is for one device: XLA cannot compile what "
            f"{strategy.num_replicas_in_sync} replicas exchange; leave it 'auto'"
        )
    return bool(jit_compile)


def steps_per_program(batch: Any) -> int:
    """How many steps one compiled program takes at most.

    Handing over a program's arguments costs as much as a short step's work. The batches
    of all its steps are handed over at once, so there are fewer of large ones, whose
    steps are long. It depends on the configuration alone.

    Args:
      batch: structure of `tf.TensorSpec`, of one step.
    """
    size = sum(
        math.prod(spec.shape) * spec.dtype.size for spec in tf.nest.flatten(batch)
    )
    return max(1, min(_MOST_STEPS, _MOST_BYTES // size))
