"""Our step beside PyTorch's, and the gradients compared.

SN-GAN 32×32 with simultaneous updates: baseline, LOGAN (NGD), first-order LOGAN. Both
sides start from the same weights and batch. Each lives in a process of its own; they
take their steps in turn.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from logan_tf import progress
from logan_tf.benchmarks import timing
from logan_tf.benchmarks.peers import our_game
from logan_tf.errors import ConfigurationError
from logan_tf.evaluation.receipts import format_table

_HERE = Path(__file__).resolve().parent
VARIANTS = ("baseline", "ngd", "ngd_first_order")
TOLERANCE = 1e-12  # in float64, of the largest entry of a player's gradient


class Peer:
    """The process that has PyTorch."""

    def __init__(self, process: subprocess.Popen, python: str) -> None:
        self._process = process
        self._python = python
        self.version = self._read()

    def ask(self, *words: object) -> str:
        """Sends a line and waits for the answer's.

        Raises:
          PeerError: with the first line of what PyTorch says.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if answer.startswith("error "):
            raise PeerError(answer.removeprefix("error "))
        return answer

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ConfigurationError(
                f"{self._python} ended without an answer: it needs torch and numpy"
            )
        return line.strip()


class PeerError(Exception):
    """What PyTorch cannot do."""


def compare(
    python: str, width: int, batch_size: int, repeats: int, forms: Sequence[str]
) -> dict[str, Any]:
    """Compares gradients, then times steps in turn; prints both tables.

    Args:
      python: the program that has PyTorch.
      width: of both networks.
      batch_size: of one update.
      repeats: how often each step is timed.
      forms: of PyTorch, as `torch_server.FORMS` has them.

    Returns:
      What is worth keeping, as JSON has it.

    Raises:
      ConfigurationError: if PyTorch's process ends.
    """
    with tempfile.TemporaryDirectory() as name, _peer(python) as peer:
        folder = Path(name)
        differences = _compare_gradients(peer, folder)
        ours = our_game.OurGame(width, batch_size)
        times, failures = _time(peer, ours, folder, repeats, forms)
        return {
            "torch": peer.version,
            "differences": differences,
            **_report(times, forms),
            "failures": failures,
        }


@contextlib.contextmanager
def _peer(python: str) -> Iterator[Peer]:
    process = subprocess.Popen(
        [python, str(_HERE / "torch_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Idle threads that spin would take the cores from the other side's turn.
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
    )
    try:
        yield Peer(process, python)
    finally:
        process.terminate()
        process.wait()


def _compare_gradients(peer: Peer, folder: Path) -> dict[str, float]:
    """The largest difference of each variant, in float64 on narrow networks."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        ours = our_game.OurGame(width=8, batch_size=8)
        ours.write(folder / "narrow.npz")
        found = {}
        for variant in VARIANTS:
            peer.ask("gradients", folder / "narrow.npz", variant, folder / "theirs.npz")
            with np.load(folder / "theirs.npz") as theirs:
                found[variant] = ours.largest_difference(variant, dict(theirs))
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(before)
    for variant, difference in found.items():
        print(
            f"gradients of {variant}: differ by {difference:.1e} of the largest entry"
        )
    return found


def _time(
    peer: Peer,
    ours: our_game.OurGame,
    folder: Path,
    repeats: int,
    forms: Sequence[str],
) -> tuple[dict[tuple[str, str], timing.Timing], dict[str, str]]:
    """Timings by (side, variant), and what PyTorch could not do."""
    ours.write(folder / "game.npz")
    seconds: dict[tuple[str, str], list[float]] = {}
    failures: dict[str, str] = {}
    steps = {variant: ours.step(variant) for variant in VARIANTS}
    sides = ["ours", *forms]
    with progress.bar(total=(repeats + 2) * len(VARIANTS) * len(sides)) as bar:
        for form in forms:
            peer.ask("load", folder / "game.npz", form)
        for repeat in range(repeats + 2):  # The first two are not counted.
            for variant in VARIANTS:
                for side in sides:
                    bar.update()
                    if (name := f"{side} {variant}") in failures:
                        continue
                    try:
                        taken = (
                            our_game.seconds(steps[variant])
                            if side == "ours"
                            else float(peer.ask("step", side, variant))
                        )
                    except PeerError as error:
                        failures[name] = str(error)
                        continue
                    if repeat > 1:
                        seconds.setdefault((side, variant), []).append(taken)
    return {key: timing.Timing.of(times) for key, times in seconds.items()}, failures


def _report(
    times: dict[tuple[str, str], timing.Timing], forms: Sequence[str]
) -> dict[str, object]:
    """Prints the table; ours, and PyTorch's ratio to ours in its best form."""
    rows = []
    for variant in VARIANTS:
        ours = times["ours", variant].median
        row: dict[str, object] = {
            "variant": variant,
            "ours s": ours,
            "ours ÷ baseline": ours / times["ours", "baseline"].median,
        }
        for form in forms:
            measured = times.get((form, variant))
            row[f"{form} s"] = measured and measured.median
        others = [
            times[form, variant].median for form in forms if (form, variant) in times
        ]
        if others:
            row["best ÷ ours"] = min(others) / ours
        rows.append(row)
    print(format_table(rows))
    return {"rows": rows, "seconds": {" ".join(k): v for k, v in times.items()}}
