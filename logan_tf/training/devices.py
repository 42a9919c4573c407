"""What a run is to run on, as flags and TF_CONFIG say it, before TensorFlow starts.

Imports no TensorFlow. `logan_tf.training.strategy` makes the strategy.
"""

import json
import os
from typing import Any, NamedTuple

from logan_tf.errors import ConfigurationError, suggestion

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


class Cluster(NamedTuple):
    """The workers that TF_CONFIG names, and which of them this process is.

    Attributes:
      workers: addresses "host:port"; the chief's is the first.
      task: the number of this process among them.
    """

    workers: tuple[str, ...]
    task: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run directory."""
        return self.task == 0


ALONE = Cluster(("localhost",), 0)


def cluster() -> Cluster:
    """The cluster of the environment's TF_CONFIG; `ALONE` without one.

    Raises:
      ConfigurationError: if TF_CONFIG is garbled, or names other jobs than a chief and
        workers.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    try:
        config = json.loads(text or "{}")
    except ValueError as error:
        raise _refused(f"is no JSON ({error})") from error
    if not isinstance(config, dict):
        raise _refused("is no JSON object")
    if not config.get("cluster"):
        return ALONE
    jobs = _jobs(config["cluster"])
    workers = tuple(jobs.get("chief", [])) + tuple(jobs.get("worker", []))
    if len(set(workers)) < len(workers):
        raise _refused("names an address twice")
    return Cluster(workers, _task(config.get("task"), jobs))


def choose(name: str, tpu: str | None, virtual_devices: int) -> str:
    """Checks what was asked for, and settles "auto" as far as TF_CONFIG and flags go.

    Args:
      name: of `STRATEGIES`.
      tpu: the TPU's name, or None.
      virtual_devices: how many devices to make of the CPU; 0: leave it as it is.

    Returns:
      One of `STRATEGIES`; "auto" where the devices of the machine decide.

    Raises:
      ConfigurationError: if it does not fit together.
    """
    if name not in STRATEGIES:
        raise ConfigurationError(
            f"--strategy is one of {', '.join(STRATEGIES)}, not {name!r}"
            f"{suggestion(name, STRATEGIES)}"
        )
    if virtual_devices < 0:
        raise ConfigurationError(
            f"--virtual_devices must be 0 or more, not {virtual_devices}"
        )
    num_workers = len(cluster().workers)
    if name == "auto":
        name = _settle(tpu, virtual_devices, num_workers)
    for flag, value, needed in (
        ("tpu", tpu, "tpu"),
        ("virtual_devices", virtual_devices or None, "mirrored"),
    ):
        if value is not None and name != needed:
            raise ConfigurationError(
                f"--{flag}={value} needs --strategy={needed}, not {name}: leave out "
                "one of them"
            )
    if name == "multi_worker" and cluster() is ALONE:
        raise ConfigurationError(
            "--strategy=multi_worker needs the workers in TF_CONFIG, such as "
            f"{_EXAMPLE}"
        )
    if name != "multi_worker" and num_workers > 1:
        raise ConfigurationError(
            f"TF_CONFIG names {num_workers} workers, whom --strategy={name} would not "
            "use: unset TF_CONFIG, or take --strategy=multi_worker"
        )
    return name


def _settle(tpu: str | None, virtual_devices: int, num_workers: int) -> str:
    if tpu is not None:
        return "tpu"
    if num_workers > 1:
        return "multi_worker"
    return "mirrored" if virtual_devices else "auto"


def _jobs(cluster: Any) -> dict[str, list[str]]:
    """Addresses by job, of a chief and workers alone."""
    if not isinstance(cluster, dict):
        raise _refused("has a cluster that is no object")
    for job, addresses in cluster.items():
        if job not in ("chief", "worker"):
            raise _refused(f"has a job {job!r}: there are only 'chief' and 'worker'")
        if not isinstance(addresses, list) or not all(map(_is_address, addresses)):
            raise _refused(f"has no list of 'host:port' as the job {job!r}")
    if len(cluster.get("chief", [])) > 1:
        raise _refused("has more than one chief")
    return cluster


def _is_address(address: Any) -> bool:
    if not isinstance(address, str):
        return False
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 2**16


def _task(task: Any, jobs: dict[str, list[str]]) -> int:
    """The number of the task among all workers, the chief first."""
    if not isinstance(task, dict):
        raise _refused("does not say which task this process is")
    job, index = task.get("type"), task.get("index")
    addresses = jobs.get(job, []) if isinstance(job, str) else []
    if type(index) is not int or not 0 <= index < len(addresses):
        raise _refused(f"has a task {job!r} {index!r} that is not in its cluster")
    return index + (len(jobs.get("chief", [])) if job == "worker" else 0)


def _refused(what: str) -> ConfigurationError:
    return ConfigurationError(f"TF_CONFIG {what}: unset it, or set it to {_EXAMPLE}")
