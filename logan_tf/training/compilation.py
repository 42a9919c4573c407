"""Whether XLA compiles a training step: where that was measured to pay.

TensorFlow's own kernels and XLA's round differently, so a run must not change its mind:
the choice depends on the kind of device and the configuration alone, which a run
records, and never on a clock.
"""

from collections.abc import Callable

import tensorflow as tf

from logan_tf.errors import ConfigurationError

AUTO = "auto"

# By kind of device. CPU: an SN-GAN's step took 1.45 to 1.55 times as long (see
# benchmarks/README.md). GPU: nobody has measured it yet.
_PAYS = {"CPU": False, "GPU": False}


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


def compiled(
    step: Callable, strategy: tf.distribute.Strategy, jit_compile: bool | str = AUTO
) -> Callable:
    """The step as it is, or as a function that XLA compiles; see `pays`."""
    if not pays(strategy, jit_compile):
        return step
    return tf.function(step, jit_compile=True)
