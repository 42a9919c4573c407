"""The `tf.distribute` strategy of a run, and what its workers agree on.

The same numbers come out on any number of replicas: losses are divided by it, gradients
are summed, batch normalization takes the moments of the global batch, and every replica
has its rows of one global batch (`logan_tf.data.batch`).
"""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from logan_tf.data.batch import Batch, Part
from logan_tf.errors import ConfigurationError, PreemptedError, first_line
from logan_tf.training import devices


def create(
    name: str = "auto", tpu: str | None = None, virtual_devices: int = 0
) -> tf.distribute.Strategy:
    """Starts the devices and makes a strategy of them, before any other operation.

    Args:
      name: "one_device", "mirrored" (this machine's GPUs), "multi_worker" (the workers
        of TF_CONFIG), "tpu", or "auto", which takes what there is.
      tpu: the TPU's name or address; "local", the default, on a TPU's own machine.
      virtual_devices: how many devices to make of this machine's CPU; 0: one.

    Returns:
      The strategy. With several workers, as soon as all of them have started.

    Raises:
      ConfigurationError: if flags or TF_CONFIG do not fit together, or the devices
        cannot be reached.
    """
    name = devices.choose(name, tpu, virtual_devices)
    if not os.environ.get("TF_CONFIG", "").strip():
        os.environ.pop("TF_CONFIG", None)  # Which TensorFlow would fail to parse.
    if name == "tpu":
        return _tpu(tpu or os.environ.get("TPU_NAME") or "local")
    if name == "multi_worker":
        return _multi_worker()
    if virtual_devices:
        return tf.distribute.MirroredStrategy(_split_cpu(virtual_devices))
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """How many processes train together; one process drives all hosts of a TPU."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    jobs = strategy.cluster_resolver.cluster_spec().as_dict()
    return max(1, sum(len(addresses) for addresses in jobs.values()))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the run directory; the other workers only read it."""
    return bool(strategy.extended.should_checkpoint)


def io_device(strategy: tf.distribute.Strategy) -> str | None:
    """What reads and writes files: else each host of a TPU would use its own disk."""
    is_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    return "/job:localhost" if is_tpu else None


def require_divisible(batch_size: int, replicas: int, accumulation: int = 1) -> None:
    """Raises ConfigurationError unless the global batch splits evenly.

    Args:
      batch_size: of one update.
      replicas: that share it.
      accumulation: micro-batches that it is split into, of 2 examples or more each.
    """
    if accumulation < 1:
        raise ConfigurationError(
            f"Experiment.accumulation must be 1 or more, not {accumulation}"
        )
    parts = replicas * accumulation
    least = 2 * accumulation if accumulation > 1 else 1
    if batch_size % parts == 0 and batch_size >= least:
        return
    below = batch_size // parts * parts
    nearest = [size for size in (below, below + parts) if size >= least] or [least]
    among = [f"{replicas} replicas"] if replicas > 1 or accumulation == 1 else []
    if accumulation > 1:
        among.append(f"{accumulation} micro-batches of 2 examples or more")
    raise ConfigurationError(
        f"batch_size {batch_size} cannot be split evenly among {' and '.join(among)}: "
        f"set it to {' or '.join(map(str, nearest))}"
    )


def distributed(
    strategy: tf.distribute.Strategy, batches: Callable[[Part], tf.data.Dataset]
) -> Iterator[Batch]:
    """The batches of a run, each host making only its part of them.

    Args:
      strategy: of the run.
      batches: opens a host's part, with an element for each of its replicas.

    Returns:
      An iterator of distributed batches, for `strategy.run`.
    """

    def open_part(context: tf.distribute.InputContext) -> tf.data.Dataset:
        hosts = context.num_input_pipelines
        replicas = context.num_replicas_in_sync // hosts
        return batches(Part(context.input_pipeline_id, hosts, replicas))

    return iter(strategy.distribute_datasets_from_function(open_part))


def agree(
    strategy: tf.distribute.Strategy, num_steps: int, stop: bool
) -> tuple[int, bool]:
    """What all workers do next, since each sees a clock and signals of its own.

    Every worker calls it at the same point; it waits for the last of them.

    Args:
      strategy: of the run.
      num_steps: how many steps this worker would take in its next call.
      stop: whether this worker would stop.

    Returns:
      The least number of steps, and whether anybody would stop.
    """
    everybodys = _gather(strategy, [num_steps, int(stop)])
    return int(everybodys[:, 0].min()), bool(everybodys[:, 1].any())


def require_same_step(strategy: tf.distribute.Strategy, step: int) -> None:
    """Refuses workers that start from different checkpoints.

    Raises:
      ConfigurationError: at every worker.
    """
    steps = _gather(strategy, [step])[:, 0]
    if len(set(steps.tolist())) > 1:
        raise ConfigurationError(
            f"the workers start from different steps ({', '.join(map(str, steps))}, "
            "the chief's first): give all the same --run_dir on a file system that "
            "they share, and the same --restart"
        )


@contextlib.contextmanager
def watched(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Where another worker is lost meanwhile, an error in one line says so.

    Raises:
      PreemptedError: if a worker has ended or cannot be reached.
    """
    try:
        yield
    except tf.errors.OpError as error:
        lost = isinstance(error, _LOST) or "collective" in str(error).lower()
        if num_workers(strategy) == 1 or not lost:
            raise
        raise PreemptedError(
            f"another worker ended or cannot be reached ({type(error).__name__}): see "
            "its own message, then start all workers again with the same commands; "
            "they go on from the last checkpoint"
        ) from error


_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


def _gather(strategy: tf.distribute.Strategy, values: list[int]) -> np.ndarray:
    """Each worker's integers, int64 [workers, values]; the chief's are the first."""
    if num_workers(strategy) == 1:
        return np.array([values])
    distributed = strategy.experimental_distribute_values_from_function(
        lambda _: tf.constant([values], tf.int64)
    )
    rows = strategy.gather(distributed, axis=0).numpy()
    # One row a replica; the replicas of a worker say the same.
    return rows[:: len(rows) // num_workers(strategy)]


def _split_cpu(number: int) -> list[str]:
    cpu, *_ = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * number
    )
    return [f"CPU:{index}" for index in range(number)]


def _multi_worker() -> tf.distribute.Strategy:
    me = devices.cluster()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"the {len(me.workers)} workers cannot meet at {me.workers[me.task]} "
            f"({first_line(error)}): see that the address is this machine's, its port "
            "free, and all workers are running"
        ) from error


def _tpu(name: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        _require_answer(resolver.master())
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except Exception as error:  # The cloud's clients raise anything.
        raise ConfigurationError(
            f"there is no TPU {name!r} to be reached from here "
            f"({first_line(error)}): on a TPU's machine take --tpu=local and a "
            "TensorFlow built for TPUs, elsewhere its name or grpc:// address"
        ) from error


def _require_answer(address: str) -> None:
    """Raises OSError unless somebody listens; TensorFlow would wait for ever."""
    host, _, port = address.removeprefix("grpc://").rpartition(":")
    if address.startswith("grpc://"):
        with socket.create_connection((host, int(port)), timeout=10):
            pass
