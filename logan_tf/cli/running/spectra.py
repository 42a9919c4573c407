"""The spectrum of a game while it is trained: a file, scalars and a picture."""

import json
from collections.abc import Callable

import matplotlib.image
import numpy as np

from logan_tf import atomic_file
from logan_tf.game.round import Round
from logan_tf.game.weights import DISCRIMINATOR
from logan_tf.lab import spectrum
from logan_tf.lab.spectrum import Jacobian, Spectrum
from logan_tf.plots import complex_plane
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.experiment import Experiment
from logan_tf.training.monitor import Monitor


def hook(
    experiment: Experiment, directory: RunDirectory
) -> Callable[[int, Monitor], None]:
    """What measures the spectrum on the round that a step's first update would see.

    Products with the Jacobian are traced at the first call, for all of them.
    """
    measured: list[Jacobian] = []

    def measure(step: int, monitor: Monitor) -> None:
        round_ = Round.of(next(iter(experiment.batches(step))), 0)
        if not measured:
            measured.append(Jacobian(experiment.game, round_))
        measured[0].round = round_
        found = spectrum.of(measured[0])
        monitor.spectrum(step, spectrum.scalars(found))
        path = directory.spectrum_path(step)
        path.parent.mkdir(exist_ok=True)
        atomic_file.write_text(path, json.dumps(_as_json(step, found)) + "\n")
        picture = path.with_suffix(".png")
        share = found.shares[DISCRIMINATOR]
        complex_plane.save(
            picture, found.values, share, found.gradient, f"step {step:,}"
        )
        pixels = matplotlib.image.imread(picture)[..., :3]
        monitor.image(step, "spectrum", np.round(255 * pixels).astype(np.uint8))

    return measure


def _as_json(step: int, found: Spectrum) -> dict:
    """Numbers by name, of each eigenvalue in turn; None where there is none."""
    gradient = [None if np.isnan(x) else float(x) for x in found.gradient]
    return {
        "step": step,
        "real": found.values.real.tolist(),
        "imaginary": found.values.imag.tolist(),
        "shares": {player: x.tolist() for player, x in found.shares.items()},
        "gradient": gradient,
    }
