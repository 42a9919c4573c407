"""The same numbers on one device, on two, and in two worker processes.

SGD, since Adam hides a wrong scale; the numbers come from `replica_run`.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("replica_run.py")
OTHERS = ["two", "workers"]
# The alternating ones in two micro-batches.
RUNS = [("two", "simultaneous"), ("workers", "alternating")]
# The bias of a convolution just before batch normalization: its gradient is zero but
# for rounding, and it is seen in the pictures alone.
UNSEEN_GRADIENT, UNSEEN_VARIABLE = "generator/3", "generator/3/bias"

Numbers = dict[str, np.ndarray]


def start(what: str, output: Path, **environment: str) -> subprocess.Popen:
    root = str(SCRIPT.parents[2])
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), what, str(output)],
        env=os.environ | {"PYTHONPATH": root} | environment,
        cwd=output.parent,
        stdout=subprocess.DEVNULL,
        stderr=(output.parent / f"{output.stem}.{len(environment)}.err").open("a"),
    )


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> dict[str, Numbers]:
    """By devices: "one", "two" and "workers"."""
    folder = tmp_path_factory.mktemp("replicas")
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = [start("one_and_mirrored", folder / "here.npz")]
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        output = folder / "workers.npz"
        processes.append(start("worker", output, TF_CONFIG=json.dumps(config)))
    finish(processes, folder)
    here, workers = (
        dict(np.load(folder / f"{name}.npz")) for name in ("here", "workers")
    )
    return {
        "one": under("one", here),
        "two": under("two", here),
        "workers": workers,
    }


def finish(processes: list[subprocess.Popen], folder: Path) -> None:
    """Waits for all; shows their errors if one has failed."""
    try:
        codes = [process.wait(timeout=500) for process in processes]
    finally:
        for process in processes:
            process.kill()
    errors = [path.read_text()[-3000:] for path in folder.glob("*.err")]
    assert not any(codes), "\n".join(errors)


def under(prefix: str, numbers: Numbers) -> Numbers:
    """Those whose names start with it, without it."""
    prefix += "/"
    return {
        name.removeprefix(prefix): value
        for name, value in numbers.items()
        if name.startswith(prefix)
    }


def distance(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.linalg.norm((left - right).ravel()))


def other_gradients(left: Numbers, right: Numbers) -> list[str]:
    """The gradients of step 1 that differ by more than 1e-4 of their norm."""
    left, right = under("gradient", left), under("gradient", right)
    assert left.keys() == right.keys()
    return [
        name
        for name, value in left.items()
        if not name.endswith(UNSEEN_GRADIENT)
        and distance(value, right[name]) > 1e-4 * np.linalg.norm(value)
    ]


@pytest.mark.parametrize(("other", "schedule"), RUNS)
def test_the_gradients_of_the_first_step_agree(other, schedule, recorded):
    one, found = (under(schedule, recorded[name]) for name in ("one", other))
    updates = {"simultaneous": 2}.get(schedule, 3)
    assert len(under("gradient", one)) == 8 * updates
    assert other_gradients(one, found) == []
    unseen = [
        np.linalg.norm(value)
        for name, value in under("gradient", one).items()
        if name.endswith(UNSEEN_GRADIENT)
    ]
    assert max(unseen) < 1e-6


@pytest.mark.slow
def test_a_wrong_scale_would_be_found(recorded, tmp_path):
    """A loss that is not divided by the replicas, a latent gradient that is."""
    finish([start("broken", tmp_path / "broken.npz")], tmp_path)
    found = under("two", dict(np.load(tmp_path / "broken.npz")))
    one = under("simultaneous", recorded["one"])
    num_compared = len(under("gradient", one)) - 1
    for broken in ("loss", "latent"):
        wrong = under(f"broken_{broken}", found)
        assert len(other_gradients(one, wrong)) == num_compared, broken


@pytest.mark.parametrize(("other", "schedule"), RUNS)
def test_weights_and_pictures_agree_after_five_steps(other, schedule, recorded):
    one, found = (under(schedule, recorded[name]) for name in ("one", other))
    start_, end = under("start", one), under("end", one)
    other_start, other_end = under("start", found), under("end", found)
    moved = 0
    for name, value in end.items():
        np.testing.assert_array_equal(start_[name], other_start[name])
        if not name.endswith(UNSEEN_VARIABLE):
            way = distance(value, start_[name])
            moved += way > 0
            assert distance(value, other_end[name]) <= 1e-3 * way, name
    # All but four standing statistics and the spectral-norm vector of the score's
    # kernel, one number of length 1; the unseen bias, twice, is not looked at.
    assert moved == len(end) - 4 - 1 - 2
    np.testing.assert_allclose(one["images"], found["images"], atol=1e-5)


@pytest.mark.parametrize(("other", "schedule"), RUNS)
def test_metrics_do_not_depend_on_the_number_of_replicas(other, schedule, recorded):
    one, found = (
        under("metric", under(schedule, recorded[name])) for name in ("one", other)
    )
    assert one.keys() == found.keys()
    assert "discriminator_gradient_norm" in one
    assert "generator_second_order_share" in one
    for name, values in one.items():
        np.testing.assert_allclose(
            values, found[name], rtol=1e-4, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("other", OTHERS)
def test_second_derivatives_pass_through_batch_norm_over_replicas(other, recorded):
    one = under("batch_norm", recorded["one"])
    for how in ("batch_norm", "rematerialized"):
        found = under(how, recorded[other])
        for name in ("first", "second"):
            assert np.linalg.norm(one[name]) > 0.1
            np.testing.assert_allclose(one[name], found[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("other", OTHERS)
def test_products_with_the_fields_jacobian_agree(other, recorded):
    """J is a sum over replicas; a gradient of a player's loss is one as well."""
    one, found = (under("products", recorded[name]) for name in ("one", other))
    for name in ("field", "along", "transposed", "unrolled"):
        parts, others = under(name, one), under(name, found)
        assert len(parts) == {"unrolled": 6}.get(name, 10)
        assert parts.keys() == others.keys()
        largest = max(np.abs(value).max() for value in parts.values())
        for index, value in parts.items():
            np.testing.assert_allclose(
                value, others[index], atol=1e-10 * largest, err_msg=name
            )


@pytest.mark.slow
def test_updates_of_all_dynamics_agree(tmp_path):
    """Where something is kept, the second update differs from the first."""
    finish([start("dynamics", tmp_path / "here.npz")], tmp_path)
    here = dict(np.load(tmp_path / "here.npz"))
    one, found = (under(f"{name}/dynamics", here) for name in ("one", "two"))
    assert one.keys() == found.keys()
    names = {name.split("/")[0] for name in one}
    assert len(names) == 11
    remembering = {"extrapolation_from_the_past", "momentum", "competitive"}
    for name in names:
        parts, others = under(name, one), under(name, found)
        largest = max(np.abs(value).max() for value in parts.values())
        for index, value in parts.items():
            np.testing.assert_allclose(
                value, others[index], atol=1e-10 * largest, err_msg=name
            )
        first, second = (under(update, parts) for update in "01")
        change = max(distance(value, second[index]) for index, value in first.items())
        assert (change > 1e-6 * largest) == (name in remembering), name


def test_a_look_ahead_by_the_optimizers_agrees(recorded):
    one, found = (under("look_ahead", recorded[name]) for name in ("one", "two"))
    assert len(one) == 8
    for name, value in one.items():
        np.testing.assert_allclose(value, found[name], rtol=1e-4, atol=1e-6)


def test_replicas_of_a_keras_model_stay_the_same(recorded):
    """Their latents differ, so the numbers are not those of one device."""
    found = under("keras", recorded["two"])
    first, second = under("0", found), under("1", found)
    assert len(first) == len(second) == 8
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
    metrics = under("metric", found)
    assert metrics["delta_z_norm"][0] > 0
    assert metrics["generator_update_norm"][0] > 0


@pytest.mark.slow
def test_fields_with_all_penalties_and_coupled_samples_agree(tmp_path):
    finish([start("penalties", tmp_path / "here.npz")], tmp_path)
    here = dict(np.load(tmp_path / "here.npz"))
    one, found = (under(f"{name}/penalties", here) for name in ("one", "two"))
    assert one.keys() == found.keys()
    names = {name.split("/")[0] for name in one}
    assert len(names) == 11
    for name in names:
        parts, others = under(name, one), under(name, found)
        largest = max(np.abs(value).max() for value in parts.values())
        for index, value in parts.items():
            np.testing.assert_allclose(
                value, others[index], atol=1e-10 * largest, err_msg=name
            )
