"""make benchmark-peers: our step beside PyTorch's, and the gradients compared.

SN-GAN 32×32 with simultaneous updates: baseline, LOGAN (NGD), first-order LOGAN. Both
sides start from the same weights and batch. Each lives in a process of its own; they
take their steps in turn.
"""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks import timing
from logan_tf import atomic_file
from logan_tf.cli import app
from logan_tf.errors import ConfigurationError

_HERE = Path(__file__).resolve().parent
VARIANTS = ("baseline", "ngd", "ngd_first_order")
FORMS = ("contiguous", "channels_last", "compiled")
TOLERANCE = 1e-12  # in float64, of the largest entry of a player's gradient

FLAGS = flags.FLAGS
flags.DEFINE_string("python", ".venv-peers/bin/python", "That which has PyTorch.")
flags.DEFINE_integer("width", 64, "Of both networks.")
flags.DEFINE_integer("batch_size", 64, "Of one update.")
flags.DEFINE_integer("repeats", 9, "How often each step is timed.")
flags.DEFINE_list("forms", list(FORMS), "Of PyTorch.")
flags.DEFINE_string("output", None, "results.json")


class Peer:
    """The process that has PyTorch."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process
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
                f"{FLAGS.python} ended without an answer: it needs torch and numpy"
            )
        return line.strip()


class PeerError(Exception):
    """What PyTorch cannot do."""


def main() -> None:
    """Prints both tables; ends with an error where the gradients differ."""
    if not Path(FLAGS.python).exists():
        raise ConfigurationError(
            f"there is no {FLAGS.python}: `make benchmark-peers` makes it"
        )
    app.import_tensorflow()
    with tempfile.TemporaryDirectory() as folder, _peer() as peer:
        differences = _compare_gradients(peer, Path(folder))
        times, failures = _time(peer, Path(folder))
        found = {"torch": peer.version, "differences": differences, **_report(times)}
        found["failures"] = failures
    if FLAGS.output:
        atomic_file.write_text(FLAGS.output, json.dumps(found, indent=1) + "\n")
    worst = max(differences.values())
    if not worst <= TOLERANCE:
        raise SystemExit(f"error: the gradients differ by {worst:.1e}")


@contextlib.contextmanager
def _peer() -> Iterator[Peer]:
    process = subprocess.Popen(
        [FLAGS.python, str(_HERE / "torch_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Idle threads that spin would take the cores from the other side's turn.
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
    )
    try:
        yield Peer(process)
    finally:
        process.terminate()
        process.wait()


def _compare_gradients(peer: Peer, folder: Path) -> dict[str, float]:
    """The largest difference of each variant, in float64 on narrow networks."""
    import keras

    from benchmarks.peers import our_game

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
    peer: Peer, folder: Path
) -> tuple[dict[tuple[str, str], timing.Timing], dict[str, str]]:
    """Timings by (side, variant), and what PyTorch could not do."""
    from tqdm import tqdm

    from benchmarks.peers import our_game

    ours = our_game.OurGame(FLAGS.width, FLAGS.batch_size)
    ours.write(folder / "game.npz")
    seconds: dict[tuple[str, str], list[float]] = {}
    failures: dict[str, str] = {}
    steps = {variant: ours.step(variant) for variant in VARIANTS}
    sides = ["ours", *FLAGS.forms]
    with tqdm(total=(FLAGS.repeats + 2) * len(VARIANTS) * len(sides)) as bar:
        for form in FLAGS.forms:
            peer.ask("load", folder / "game.npz", form)
        for repeat in range(FLAGS.repeats + 2):  # The first two are not counted.
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


def _report(times: dict[tuple[str, str], timing.Timing]) -> dict[str, object]:
    """Prints the table; ours, and PyTorch's ratio to ours in its best form."""
    from logan_tf.evaluation.receipts import format_table

    rows = []
    for variant in VARIANTS:
        ours = times["ours", variant].median
        row: dict[str, object] = {
            "variant": variant,
            "ours s": ours,
            "ours ÷ baseline": ours / times["ours", "baseline"].median,
        }
        for form in FLAGS.forms:
            measured = times.get((form, variant))
            row[f"{form} s"] = measured and measured.median
        others = [
            times[form, variant].median
            for form in FLAGS.forms
            if (form, variant) in times
        ]
        if others:
            row["best ÷ ours"] = min(others) / ours
        rows.append(row)
    print(format_table(rows))
    return {"rows": rows, "seconds": {" ".join(k): v for k, v in times.items()}}


if __name__ == "__main__":
    app.run(main, __doc__ or "")
