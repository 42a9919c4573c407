"""What does not fit into memory, in one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from logan_tf.errors import ConfigurationError

# "OOM when allocating tensor …" (the allocators of CPU and GPU), "Out of memory while
# trying to allocate … bytes" (XLA), "Ran out of memory in memory space hbm" (TPU).
_OUT_OF_MEMORY = re.compile(r"\boom\b|out of memory|out_of_memory", re.IGNORECASE)
_DEVICE = re.compile(r"device:(\w+:\d+)")
_NODE = re.compile(r"\x1b\[\d*m|\{\{.*?\}\}\s*| \[Op:.*")  # Of TensorFlow's messages.


@contextmanager
def networks_that_fit() -> Iterator[None]:
    """Turns what TensorFlow says of impossible sizes into a mistake with a remedy."""
    try:
        yield
    except tf.errors.OpError as error:
        lines = [_NODE.sub("", line) for line in str(error).splitlines()]
        # Keras puts a line of its own before it.
        cause = next((x for x in lines if x and not x.startswith("Exception")), "")
        raise ConfigurationError(
            f"the networks cannot be made ({cause}): make the recipe's sizes smaller, "
            "or mend the networks"
        ) from error


@contextmanager
def enough_for(batch_size: int) -> Iterator[None]:
    """Turns a failed allocation inside the context into a mistake with a remedy.

    Nothing is lost but the steps since the last checkpoint.

    Args:
      batch_size: of a step, over all replicas.

    Raises:
      ConfigurationError: if a device's memory ran out. Resources of another kind
        (TensorFlow's error is the same) keep their error.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, tf.errors.InternalError) as error:
        if not _OUT_OF_MEMORY.search(str(error)):
            raise
        device = _DEVICE.search(str(error))
        where = f"the memory of {device[1]}" if device else "the device's memory"
        raise ConfigurationError(
            f"a step with batch_size {batch_size} does not fit into {where}: lower it, "
            f"--gin_param='batch_size = {max(2, batch_size // 2)}' say, or make the "
            "networks smaller; the last checkpoint is intact"
        ) from error
