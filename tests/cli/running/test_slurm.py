"""What the workers of a SLURM step are called, by the variables that srun sets."""

import json

import pytest

from logan_tf.cli.running import slurm
from logan_tf.errors import ConfigurationError
from logan_tf.training import devices


@pytest.fixture
def step(monkeypatch):
    """Makes this process a task of a step, as srun would."""
    for name in ("TF_CONFIG", "SLURM_PROCID", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def set_(nodes, tasks_per_node, task, node=None, job=7):
        num_tasks = sum(
            int(n) * int(times or 1)
            for n, _, times in (
                part.rstrip(")").partition("(x") for part in tasks_per_node.split(",")
            )
        )
        for name, value in {
            "SLURM_JOB_ID": job,
            "SLURM_PROCID": task,
            "SLURM_STEP_NUM_TASKS": num_tasks,
            "SLURM_STEP_NODELIST": nodes,
            "SLURM_STEP_TASKS_PER_NODE": tasks_per_node,
            "SLURMD_NODENAME": node or "",
        }.items():
            monkeypatch.setenv(name, str(value))

    return set_


@pytest.mark.parametrize(
    ("nodes", "tasks_per_node", "expected"),
    [
        ("gpu[1-3]", "1(x3)", ["gpu1:10056", "gpu2:10056", "gpu3:10056"]),
        ("n[9-10]", "1(x2)", ["n9:10056", "n10:10056"]),
        ("b,a", "2,1", ["b:10056", "b:10057", "a:10056"]),
        ("x[08-09,11]", "1(x3)", ["x08:10056", "x09:10056", "x11:10056"]),
    ],
)
def test_every_task_has_the_same_workers_and_its_own_address(
    nodes, tasks_per_node, expected, step
):
    for task, address in enumerate(expected):
        step(nodes, tasks_per_node, task, node=address.partition(":")[0])
        config = slurm.tf_config()
        assert config["cluster"] == {"worker": expected}
        assert config["task"] == {"type": "worker", "index": task}


def test_devices_read_it(step, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")  # Put back in the end.
    step("n[1-2]", "1(x2)", 1, "n2")
    slurm.announce()
    assert devices.cluster() == (("n1:10056", "n2:10056"), 1)
    assert devices.choose("auto", None, 0) == "multi_worker"


def test_a_step_of_one_task_is_no_cluster(step):
    step("n1", "1", 0)
    slurm.announce()
    assert devices.cluster() is devices.ALONE


def test_it_leaves_gpus_to_slurm(step, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    step("n[1-2]", "1(x2)", 0)
    slurm.tf_config()
    assert slurm.os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"


@pytest.mark.parametrize(("first", "second"), [(7, 8), (2499, 2500), (1, 123_456)])
def test_jobs_on_one_node_have_other_ports(first, second, step):
    ports = []
    for job in (first, second):
        step("n1", "8", 0, job=job)
        workers = slurm.tf_config()["cluster"]["worker"]
        ports += [int(worker.partition(":")[2]) for worker in workers]
    assert len(set(ports)) == 16
    assert all(1024 < port < 32_768 for port in ports)


def test_outside_of_a_step_it_is_refused(step):
    with pytest.raises(ConfigurationError, match=r"SLURM_PROCID not found.*srun"):
        slurm.announce()


def test_garbled_variables_are_one_line(step):
    step("n[1-", "1(x2)", 0)
    with pytest.raises(ConfigurationError, match="Invalid hostlist"):
        slurm.announce()


def test_tasks_dealt_out_in_turn_are_refused(step):
    step("n[1-2]", "2(x2)", 1, node="n2")  # --distribution=cyclic
    with pytest.raises(ConfigurationError, match=r"n2 and would be at n1.*=block"):
        slurm.announce()


def test_it_overwrites_no_tf_config(step, monkeypatch):
    step("n[1-2]", "1(x2)", 0)
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1"]}}))
    with pytest.raises(ConfigurationError, match="unset TF_CONFIG"):
        slurm.announce()
