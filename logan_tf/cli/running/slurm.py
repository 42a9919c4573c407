"""The workers of a SLURM job step, as the TF_CONFIG that everything else reads.

`srun` tells each task its number and the step's nodes in variables; TensorFlow's own
resolver makes addresses of them. So workers meet, and are compared, as any others.
"""

import json
import os
from typing import Self

import tensorflow as tf

from logan_tf.errors import ConfigurationError, first_line

_PORTS = range(10_000, 30_000)  # Below those that Linux lends to clients.
_TASKS_A_NODE = 8  # ports of a job on each node; more reach into the next job's
_MOST = 1024  # tasks on a node


def announce() -> None:
    """Sets TF_CONFIG for this task, unless it is the step's only one.

    Raises:
      ConfigurationError: this is no task of a job step, TF_CONFIG is set already, or
        SLURM numbers the tasks in another order than node by node.
    """
    if os.environ.get("TF_CONFIG", "").strip():
        raise ConfigurationError(
            "--cluster=slurm makes TF_CONFIG, which is set already: unset TF_CONFIG, "
            "or leave out --cluster"
        )
    config = tf_config()
    if len(config["cluster"]["worker"]) > 1:
        os.environ["TF_CONFIG"] = json.dumps(config)


def tf_config() -> dict:
    """What TF_CONFIG says of this task: the cluster's workers, and which of them it is.

    Raises:
      ConfigurationError: as `announce`.
    """
    try:
        resolver = _Resolver(
            port_base=_first_port(int(os.environ.get("SLURM_JOB_ID", 0))),
            # Which GPUs a task has is SLURM's to say, by CUDA_VISIBLE_DEVICES.
            auto_set_gpu=False,
            gpus_per_node=_MOST,
            gpus_per_task=1,
        )
        workers = resolver.cluster_spec().as_dict()["worker"]
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"--cluster=slurm needs a step of SLURM ({first_line(error)}): start every "
            "worker by srun, inside of sbatch or salloc"
        ) from error
    task = resolver.task_id
    _require_here(workers, task)
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": task}}


def _first_port(job: int) -> int:
    """Jobs that share a node, and have numbers near each other, have other ports."""
    return _PORTS[job * _TASKS_A_NODE % len(_PORTS)]


def _require_here(workers: list[str], task: int | None) -> None:
    """Raises ConfigurationError unless this task's address is this node's."""
    node = os.environ.get("SLURMD_NODENAME")
    if task is None or (node and workers[task].rpartition(":")[0] != node):
        where = "no worker" if task is None else f"at {workers[task]}"
        raise ConfigurationError(
            f"--cluster=slurm: this task is on {node} and would be {where}: start srun "
            "with --distribution=block, or say who the workers are with TF_CONFIG"
        )


class _Host(str):
    """A host's name, before those that come later in the step's list of nodes."""

    place: int

    def __new__(cls, name: str, place: int) -> Self:
        made = super().__new__(cls, name)
        made.place = place
        return made

    def __lt__(self, other: object) -> bool:
        return isinstance(other, _Host) and self.place < other.place


class _Resolver(tf.distribute.cluster_resolver.SlurmClusterResolver):
    """TensorFlow's, with hosts in the order in which SLURM numbers the tasks.

    TensorFlow's sorts them by name, n10 before n9, and gives tasks each other's
    addresses.
    """

    def _resolve_task_configuration(self) -> dict[_Host, int]:
        found = super()._resolve_task_configuration()
        return {_Host(host, place): n for place, (host, n) in enumerate(found.items())}
