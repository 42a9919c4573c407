"""Workers that meet, as threads on loopback ports."""

import json
import socket
import threading
import time
from collections.abc import Callable

import pytest

from logan_tf.cli.running import meeting
from logan_tf.cli.running.peer import Peer
from logan_tf.errors import ConfigurationError
from logan_tf.training.devices import Cluster

FACTS = {"the cluster": "a, b", "seed": "0", "batch_size": "64", "data": "d1"}
SECONDS = 20.0


def cluster(number: int) -> tuple[str, ...]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    for each in sockets:
        each.close()
    return addresses


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(meeting, "_TICK", 0.02)
    monkeypatch.setattr(meeting, "PATIENCE", 0.5)


@pytest.fixture
def met(tmp_path) -> Callable[..., list[str | None]]:
    """Facts of each worker → what each was refused with, or None."""

    def run(
        *facts: dict, tasks=None, folders=None, seconds=SECONDS, addresses=None, **how
    ) -> list[str | None]:
        addresses = addresses or cluster(len(facts))
        refusals: list[str | None] = ["never returned"] * len(facts)

        def work(number: int) -> None:
            me = Cluster(addresses, tasks[number] if tasks else number)
            folder = folders[number] if folders else tmp_path
            try:
                meeting.meet(me, facts[number], folder, seconds=seconds, **how)
                refusals[number] = None
            except ConfigurationError as error:
                refusals[number] = str(error)

        threads = [threading.Thread(target=work, args=[n]) for n in range(len(facts))]
        for thread in reversed(threads):  # The chief comes last.
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert list(tmp_path.glob(".meeting*")) == []
        return refusals

    return run


@pytest.mark.parametrize("number", [2, 3])
def test_workers_that_agree_go_on_and_the_port_is_free_again(number, met):
    addresses = cluster(number)
    for _ in range(2):
        assert met(*[FACTS] * number, addresses=addresses) == [None] * number
    socket.create_server(("127.0.0.1", int(addresses[0].split(":")[1]))).close()


@pytest.mark.parametrize("name", FACTS)
def test_the_first_difference_is_named_on_all_of_them(name, met):
    changed = FACTS | {name: "other", "data": "other"}
    refusals = met(FACTS, FACTS, changed)
    assert len(set(refusals)) == 1
    line = refusals[0]
    assert f"{name} is {FACTS[name]} at worker 1 (127.0.0.1:" in line
    assert "and other at worker 3 (127.0.0.1:" in line
    assert len(line.splitlines()) == 1


def test_what_only_one_says_is_a_difference_and_what_is_unknown_is_none(met):
    more = FACTS | {"Ring.sigma": "0.1"}
    for refusal in met(FACTS, more):
        assert "Ring.sigma is not said at worker 1" in refusal
    assert met(FACTS, FACTS | {"data": None}) == [None, None]
    assert met(FACTS | {"data": None}, FACTS) == [None, None]


def test_run_directories_that_are_not_shared_are_refused(met, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    refusals = met(FACTS, FACTS, folders=[tmp_path, elsewhere])
    assert len(set(refusals)) == 1
    assert "worker 2 (127.0.0.1:" in refusals[0]
    assert f"does not see the run directory {tmp_path} of worker 1" in refusals[0]


def test_two_workers_of_one_index_are_refused(met):
    refusals = met(FACTS, FACTS, FACTS, tasks=[0, 1, 1])
    assert all("two workers say that they are worker 2 of 3" in r for r in refusals)


def test_two_chiefs_are_refused(met):
    addresses = cluster(2)
    with socket.create_server(("", int(addresses[0].split(":")[1]))):
        (refusal,) = met(FACTS, addresses=addresses)
    assert "is another worker of index 0 running there?" in refusal


@pytest.mark.parametrize("task", [0, 1])
def test_who_waits_says_for_whom_and_stops(task, met):
    said: list[str] = []
    tasks = [task]
    how = {"addresses": cluster(2), "say": said.append, "every": 0.1, "seconds": 0.5}
    (refusal,) = met(FACTS, tasks=tasks, **how)
    other = f"worker {2 - task} ({how['addresses'][1 - task]})"
    assert refusal.startswith(f"{other} did not come within 0.00833333 minutes: start")
    assert "--wait_minutes" in refusal
    assert 2 <= len(said) <= 6
    assert set(said) == {f"waiting for {other}"}


def test_those_who_came_hear_for_whom_all_wait_and_that_it_is_over(met):
    said: list[str] = []
    how = {"say": said.append, "every": 0.2, "seconds": 1.0}
    refusals = met(FACTS, FACTS, tasks=[0, 1], addresses=cluster(3), **how)
    assert len(set(refusals)) == 1
    assert "worker 3" in refusals[0]
    assert "worker 2" not in refusals[0]
    assert len([line for line in said if line.startswith("waiting for worker 3")]) > 3


@pytest.mark.parametrize(
    "words",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"",
        b"[" * 10_000 + b"\n",
        b"[]\n",
        b'{"greeting": "other"}\n',
        json.dumps({"greeting": "logan_tf meeting/1", "task": "1"}).encode() + b"\n",
    ],
    ids=["http", "nothing", "nested", "list", "other", "garbled"],
)
def test_strangers_are_passed_over(words, met):
    addresses = cluster(2)
    port = int(addresses[0].split(":")[1])
    until = time.monotonic() + SECONDS

    def intrude() -> None:
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
                    peer.sendall(words)
                    return
            except OSError:
                time.sleep(0.01)

    thread = threading.Thread(target=intrude)
    thread.start()
    assert met(FACTS, FACTS, addresses=addresses) == [None, None]
    until = 0.0
    thread.join()


def test_a_worker_that_leaves_may_come_again(met, tmp_path):
    """Its first connection dies while the chief waits for a third."""
    addresses = cluster(3)
    chief: list[str | None] = []
    thread = threading.Thread(
        target=lambda: chief.append(met(FACTS, addresses=addresses)[0])
    )
    thread.start()
    greeting = {"greeting": "logan_tf meeting/1", "task": 1, "facts": {"seed": "9"}}
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            with socket.create_connection(addresses[0].split(":"), timeout=1) as peer:
                peer.sendall(json.dumps(greeting).encode() + b"\n")
                time.sleep(0.2)
            break
        except OSError:
            time.sleep(0.01)
    assert met(FACTS, FACTS, tasks=[1, 2], addresses=addresses) == [None, None]
    thread.join()
    assert chief == [None]


def test_a_worker_that_comes_again_before_it_is_missed(tmp_path):
    """Between two looks of the chief's at who is there."""
    gone, left = socket.socketpair()
    left.close()
    came, theirs = socket.socketpair()
    greeting = {"greeting": "logan_tf meeting/1", "task": 1, "facts": {"seed": "9"}}
    theirs.sendall(json.dumps(greeting).encode() + b"\n")
    said: dict = {0: FACTS, 1: FACTS}
    with Peer(gone) as old, Peer(came) as new, theirs:
        peers = {1: old}
        meeting._greeted(Cluster(cluster(2), 0), new, peers, said)
        assert peers[1] is new
    assert said[1] == {"seed": "9"}
