"""Strategies on this machine, a TPU that is not there, and lost workers.

Several devices and workers need processes of their own: `test_replica_invariance`,
`tests/integration/test_replicas.py`.
"""

import socket

import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError, PreemptedError
from logan_tf.training import strategy


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


@pytest.mark.parametrize("name", ["auto", "one_device"])
def test_one_device_is_no_strategy_at_all(name):
    assert strategy.create(name) is tf.distribute.get_strategy()


@pytest.mark.parametrize("empty", ["", " "])
def test_mirrored_takes_what_there_is(empty, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", empty)
    made = strategy.create("mirrored")
    assert isinstance(made, tf.distribute.MirroredStrategy)
    assert strategy.is_chief(made)
    assert strategy.num_workers(made) == 1


def test_several_gpus_are_found(monkeypatch):
    made = []
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: made.append(1))
    strategy.create("auto")
    assert made == [1]


def test_one_worker_agrees_with_itself():
    one = tf.distribute.get_strategy()
    assert strategy.agree(one, 7, stop=False) == (7, False)
    assert strategy.agree(one, 3, stop=True) == (3, True)
    strategy.require_same_step(one, 5)


@pytest.mark.parametrize(
    ("batch_size", "replicas", "remedy"),
    [(10, 4, "8 or 12"), (7, 2, "6 or 8"), (3, 8, "8")],
)
def test_replicas_must_divide_the_batch(batch_size, replicas, remedy):
    expected = rf"{batch_size} cannot .* among {replicas} replicas: set it to {remedy}$"
    with pytest.raises(ConfigurationError, match=expected):
        strategy.require_divisible(batch_size, replicas)
    strategy.require_divisible(replicas * 3, replicas)


@pytest.mark.parametrize(
    ("batch_size", "replicas", "remedy"),
    [
        (10, 1, "8 or 12"),
        (12, 2, "8 or 16"),
        (4, 1, "8"),
        (3, 1, "8"),
        (2049, 8, "2048 or 2080"),
    ],
)
def test_four_micro_batches_must_divide_the_batch(batch_size, replicas, remedy):
    among = (f"{replicas} replicas and " if replicas > 1 else "") + "4 micro-batches"
    expected = rf"{batch_size} cannot .* among {among} .*: set it to {remedy}$"
    with pytest.raises(ConfigurationError, match=expected):
        strategy.require_divisible(batch_size, replicas, 4)
    strategy.require_divisible(8 * replicas, replicas, 4)


class FakeResolver:
    """Records the calls on the way to a TPU."""

    def __init__(self, calls: list, address: str) -> None:
        self.calls, self.address = calls, address

    def __call__(self, tpu: str) -> "FakeResolver":
        self.calls.append(f"resolve {tpu}")
        return self

    def master(self) -> str:
        return self.address


@pytest.fixture
def tpu(monkeypatch):
    """address → the calls that `create` makes, in their order."""

    def fake(address: str) -> list[str]:
        calls: list[str] = []
        resolver = FakeResolver(calls, address)
        for owner, name, result in (
            (tf.config, "experimental_connect_to_cluster", None),
            (tf.tpu.experimental, "initialize_tpu_system", None),
            (tf.distribute, "TPUStrategy", "the strategy"),
            (tf.config, "list_logical_devices", []),
            (tf, "constant", None),
        ):
            monkeypatch.setattr(
                owner, name, lambda *_, n=name, r=result: calls.append(n) or r
            )
        monkeypatch.setattr(
            tf.distribute.cluster_resolver, "TPUClusterResolver", resolver
        )
        return calls

    return fake


@pytest.mark.parametrize(
    ("given", "environment", "name"),
    [("node", "", "node"), (None, "", "local"), (None, "pod", "pod")],
)
def test_a_tpu_is_connected_initialized_and_nothing_comes_before(
    given, environment, name, tpu, monkeypatch
):
    monkeypatch.setenv("TPU_NAME", environment)
    calls = tpu("")
    assert strategy.create("tpu", given) == "the strategy"
    assert calls == [
        f"resolve {name}",
        "experimental_connect_to_cluster",
        "initialize_tpu_system",
        "TPUStrategy",
    ]


def test_a_silent_address_is_refused_before_it_is_waited_for(tpu):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"grpc://127.0.0.1:{free.getsockname()[1]}"
    calls = tpu(address)
    with pytest.raises(ConfigurationError, match=r"no TPU 'x' .*refused.*: on a TPU's"):
        strategy.create("tpu", "x")
    assert calls == ["resolve x"]


def test_a_listening_address_is_connected(tpu):
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = tpu(f"grpc://127.0.0.1:{server.getsockname()[1]}")
        strategy.create("tpu", "x")
    assert calls[-1] == "TPUStrategy"


class Lost(tf.errors.UnavailableError):
    def __init__(self, message: str) -> None:
        super().__init__(None, None, message)


def test_a_lost_worker_is_one_line(monkeypatch):
    monkeypatch.setattr(strategy, "num_workers", lambda _: 2)
    with (
        pytest.raises(
            PreemptedError, match=r"another worker .*\(Lost\): .* same commands"
        ),
        strategy.watched(tf.distribute.get_strategy()),
    ):
        raise Lost("Socket closed")


def test_other_errors_pass(monkeypatch):
    one = tf.distribute.get_strategy()
    with pytest.raises(Lost), strategy.watched(one):
        raise Lost("one worker loses nobody")
    monkeypatch.setattr(strategy, "num_workers", lambda _: 2)
    with pytest.raises(tf.errors.InvalidArgumentError), strategy.watched(one):
        raise tf.errors.InvalidArgumentError(None, None, "a defect")


def test_workers_at_different_steps_are_refused(monkeypatch):
    import numpy as np

    monkeypatch.setattr(strategy, "_gather", lambda *_: np.array([[4], [0]]))
    with pytest.raises(ConfigurationError, match=r"steps \(4, 0, .*file system"):
        strategy.require_same_step(tf.distribute.get_strategy(), 4)
