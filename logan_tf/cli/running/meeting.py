"""Workers meet before anything is built, and see whether they are about to do the same.

They speak over the addresses of TF_CONFIG before TensorFlow does: the chief listens at
its own, the others say who they are and what they would do, and all hear whether they
agree. TensorFlow itself would wait for ever, train on with different seeds, or end in
an error about shapes. Imports no TensorFlow.
"""

import contextlib
import os
import secrets
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from logan_tf.cli.running.peer import PATIENCE, Peer
from logan_tf.errors import ConfigurationError
from logan_tf.training.devices import Cluster

Facts = Mapping[str, str | None]
"""What a worker would do: name → value, in the order of comparison; None: unknown yet,
and not compared."""

_GREETING = "logan_tf meeting/1"
_TICK = 0.5  # seconds between two looks at who came and who left


def meet(
    cluster: Cluster,
    facts: Facts,
    folder: Path,
    *,
    seconds: float,
    say: Callable[[str], object] = print,
    every: float = 60.0,
) -> None:
    """Returns as soon as all workers are there and agree.

    Args:
      cluster: the workers, and which of them this process is.
      facts: what this worker would do.
      folder: the run directory, which exists at the chief; all must see the same.
      seconds: how long to wait for the others.
      say: is told once in a while who is waited for.
      every: seconds between two such lines.

    Raises:
      ConfigurationError: at every worker that is there, with the same line: somebody
        does not come, or the first difference.
    """
    waiting = _Waiting(cluster, seconds, say, every)
    if cluster.is_chief:
        _preside(cluster, facts, folder, waiting)
    else:
        _attend(cluster, facts, folder, waiting)


def difference(cluster: Cluster, facts: Mapping[int, Facts]) -> str | None:
    """The first thing in which workers differ from the first of them, in one line.

    Args:
      cluster: names the workers.
      facts: of each, by its number.
    """
    names = dict.fromkeys(name for each in facts.values() for name in each)
    for name in names:
        known = {task: each.get(name, "not said") for task, each in facts.items()}
        known = {task: value for task, value in known.items() if value is not None}
        first = min(known, default=0)
        for task, value in sorted(known.items()):
            if value != known[first]:
                return (
                    f"the workers differ: {name} is {known[first]} at "
                    f"{_named(cluster, first)} and {value} at {_named(cluster, task)}: "
                    "start all with the same recipe, flags, data and code"
                )
    return None


class _Waiting:
    """Says who is waited for, and ends it.

    Attributes:
      silence: seconds after which nobody is there who would have said something.
    """

    def __init__(
        self, cluster: Cluster, seconds: float, say: Callable, every: float
    ) -> None:
        self._cluster = cluster
        self._seconds = seconds
        self._say = say
        self._every = every
        self._started = self._said = time.monotonic()
        self.silence = 2 * every + 3 * PATIENCE

    def require(self, missing: list[int]) -> str | None:
        """Looks at the clock; what was said, if it was time to.

        Raises:
          ConfigurationError: if these have been waited for too long.
        """
        names = ", ".join(_named(self._cluster, task) for task in missing)
        now = time.monotonic()
        if now - self._started > self._seconds:
            raise ConfigurationError(
                f"{names} did not come within {self._seconds / 60:g} minutes: start "
                "all workers of TF_CONFIG, see that they reach "
                f"{self._cluster.workers[0]}, or set --wait_minutes"
            )
        if now - self._said < self._every:
            return None
        self._said = now
        line = f"waiting for {names}"
        self._say(line)
        return line

    def repeat(self, line: str) -> None:
        """Says what another worker said."""
        self._said = time.monotonic()
        self._say(line)


def _preside(cluster: Cluster, facts: Facts, folder: Path, waiting: _Waiting) -> None:
    """The chief's part: waits for all, compares, and tells them."""
    peers: dict[int, Peer] = {}
    said: dict[int, Facts] = {0: facts}
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(_listening(cluster))
            while missing := _missing(cluster, peers, said):
                if line := waiting.require(missing):
                    _tell(peers, waiting=line)
                if select.select([server], [], [], _TICK)[0]:
                    peer = stack.enter_context(Peer(server.accept()[0]))
                    _greeted(cluster, peer, peers, said)
            refusal = difference(cluster, said) or _unshared(cluster, folder, peers)
        except ConfigurationError as error:
            refusal = str(error)
        _tell(peers, refused=refusal)
    if refusal:
        raise ConfigurationError(refusal)


@contextlib.contextmanager
def _listening(cluster: Cluster) -> Iterator[socket.socket]:
    """Listens at the chief's own address, as TensorFlow will."""
    address = cluster.workers[0]
    port = int(address.rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise ConfigurationError(
            f"cannot listen at {address} ({cause}): is another worker of index 0 "
            "running there? Free the port, or give each worker of TF_CONFIG an index "
            "of its own"
        ) from error
    with server:
        yield server


def _greeted(
    cluster: Cluster, peer: Peer, peers: dict[int, Peer], said: dict[int, Facts]
) -> None:
    """Takes note of a worker; of somebody else, nothing."""
    try:
        greeting = peer.receive(PATIENCE) or {}
    except OSError:
        return
    task, facts = greeting.get("task"), greeting.get("facts")
    if (
        greeting.get("greeting") != _GREETING
        or type(task) is not int
        or not isinstance(facts, dict)
    ):
        return
    known = task in peers and not _left(peers[task])
    if known or not 0 < task < len(cluster.workers):
        peers[len(cluster.workers) + len(peers)] = peer  # To be told, too.
        raise ConfigurationError(
            f"two workers say that they are worker {task + 1} of "
            f"{len(cluster.workers)}: give each the same cluster and an index of its "
            "own in TF_CONFIG"
        )
    peers[task], said[task] = peer, facts


def _missing(
    cluster: Cluster, peers: dict[int, Peer], said: dict[int, Facts]
) -> list[int]:
    """Who is not there; who left is forgotten."""
    for task, peer in list(peers.items()):
        if _left(peer):
            del peers[task], said[task]
    return [task for task in range(len(cluster.workers)) if task not in said]


def _left(peer: Peer) -> bool:
    """Whether the other end is gone; it says nothing while it is there."""
    try:
        peer.receive(0)
    except OSError:
        return True
    return False


def _tell(peers: Mapping[int, Peer], **message: str | None) -> None:
    for peer in peers.values():
        with contextlib.suppress(OSError):
            peer.send(**message)


def _unshared(cluster: Cluster, folder: Path, peers: Mapping[int, Peer]) -> str | None:
    """Who does not see what the chief writes in the run directory, in one line."""
    seen = folder / f".meeting-{secrets.token_hex(8)}"
    try:
        seen.write_text("")
        for peer in peers.values():
            peer.send(look_for=seen.name)
        for task, peer in peers.items():
            answer = peer.receive(2 * PATIENCE) or {}
            if not answer.get("sees"):
                return (
                    f"{_named(cluster, task)} does not see the run directory {folder} "
                    f"of {_named(cluster, 0)}: give all the same --run_dir on a file "
                    "system that they share"
                )
    except OSError as error:
        return f"a worker left while all met ({error}): start all again"
    finally:
        seen.unlink(missing_ok=True)
    return None


def _attend(cluster: Cluster, facts: Facts, folder: Path, waiting: _Waiting) -> None:
    """The part of the others: go to the chief, until it has told."""
    while True:
        waiting.require([0])
        with contextlib.suppress(OSError), Peer(_connected(cluster)) as peer:
            peer.send(greeting=_GREETING, task=cluster.task, facts=dict(facts))
            told = _told(peer, folder, waiting)
            if told is not None:
                raise ConfigurationError(told)
            return
        time.sleep(_TICK)


def _connected(cluster: Cluster) -> socket.socket:
    host, _, port = cluster.workers[0].rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE)


def _told(peer: Peer, folder: Path, waiting: _Waiting) -> str | None:
    """What the chief says in the end: why not, or None.

    Raises:
      OSError: if it goes away first.
    """
    while True:
        # It knows who is missing, keeps the time, and speaks up once in a while.
        message = peer.receive(waiting.silence)
        if message is None:
            raise ConnectionError("the chief is silent")
        if "refused" in message:
            return message["refused"]
        if "waiting" in message:
            waiting.repeat(str(message["waiting"]))
        if "look_for" in message:
            peer.send(sees=_sees(folder / Path(str(message["look_for"])).name))


def _sees(path: Path) -> bool:
    """Whether a file is there, or appears while a file system catches up."""
    until = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(_TICK)
    return True


def _named(cluster: Cluster, task: int) -> str:
    return f"worker {task + 1} ({cluster.workers[task]})"
