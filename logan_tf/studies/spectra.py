"""What the eigenvalues of a game do along its training, as its runs wrote them down."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from logan_tf import small_files
from logan_tf.plots import complex_plane
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.studies import panels
from logan_tf.studies.arms import vary
from logan_tf.studies.results import ArmRun, Results
from logan_tf.studies.study import EMBEDDED, PAPER, SMOKE, Arm, Study

_SMALL = 1e-2  # of the largest: smaller eigenvalues are noise around 0
_STEPS: dict[str, tuple[int, ...]] = {
    EMBEDDED: (1000, 2000),
    PAPER: (1000, 2000),
    SMOKE: (2, 4),
}


class Spectrum(NamedTuple):
    """A run's at a step: λ complex [n], D's share of each and |c|² / ‖v‖², [n]."""

    values: np.ndarray
    share: np.ndarray
    gradient: np.ndarray


def of(run: ArmRun) -> dict[int, Spectrum]:
    """By step, in order."""
    folder = RunDirectory(run.path).spectra
    read = [small_files.read_json(p) for p in sorted(folder.glob("*.json"))]
    return {
        found["step"]: Spectrum(
            np.array(found["real"]) + 1j * np.array(found["imaginary"]),
            np.array(found["shares"]["discriminator"]),
            np.array(found["gradient"], float),
        )
        for found in read
    }


def numbers(spectrum: Spectrum) -> dict[str, float]:
    """What a spectrum says, of the eigenvalues above 1 % of the largest."""
    size = np.abs(spectrum.values)
    large = size > _SMALL * size.max()
    turns = large & (np.abs(spectrum.values.imag) > 1e-6 * size.max())
    found = {
        "largest modulus": size.max(),
        "least real part": spectrum.values.real.min(),
        "largest imaginary part": np.abs(spectrum.values.imag).max(),
        "share of pairs": turns.sum() / large.sum(),
        "their part in the gradient": spectrum.gradient[turns].sum()
        / spectrum.gradient.sum(),
    }
    if turns.any():
        pair = np.flatnonzero(turns)[np.argmax(size[turns])]
        steep = np.abs(spectrum.values.imag[turns]) / size[turns]
        found["largest ratio of both"] = steep.max()
        found["D's share of the largest pair"] = spectrum.share[pair]
    return {name: float(value) for name, value in found.items()}


def rows(results: Results) -> Iterator[dict[str, Any]]:
    """For each arm and step the numbers of all seeds."""
    for arm, runs in results.begun():
        every = [of(run) for run in runs]
        for step in sorted(set().union(*every)):
            found = [numbers(each[step]) for each in every if step in each]
            names = dict.fromkeys(name for each in found for name in each)
            yield {"": arm.label, "step": f"{step:,}"} | {
                name: [each[name] for each in found if name in each] for name in names
            }


def draw(results: Results, path: Path) -> None:
    """The complex plane of each arm at each step, of the first seed."""
    planes = [(arm, of(runs[0])) for arm, runs in results.begun()]
    planes = [(arm, found) for arm, found in planes if found]
    columns = max(len(found) for _, found in planes)
    with panels.opened(path, len(planes), columns, 3.4) as drawn:
        panel: Axes
        for row, (arm, found) in zip(drawn, planes, strict=True):
            for panel, (step, each) in zip(row, found.items(), strict=False):
                points = complex_plane.draw(panel, *each)
                panel.set_title(f"{arm.label}, step {step:,}", fontsize=10)
                panel.set_xscale("symlog", linthresh=1e-2)
                panel.set_yscale("symlog", linthresh=1e-2)
        panel.figure.colorbar(points, ax=drawn, label="D's share of the eigenvector")


def _dynamics(name: str) -> str:
    return f"Experiment.dynamics = @{name}()"


_PLAIN = vary(
    Arm("plain", "GAN", "ring_baseline", "ring_baseline"),
    "plain",
    "GAN",
    "latent_dim = 4",
    "mlp.Generator.hidden = (64,)",
    "mlp.Discriminator.hidden = (64,)",
)
_LOGAN = vary(
    Arm("logan", "LOGAN (NGD)", "ring_logan", "ring_logan"),
    "logan",
    "LOGAN (NGD)",
    *_PLAIN.params,
)
_EVERY = "spectrum_every = {}"
_SIZES: dict[str, tuple[str, ...]] = {
    EMBEDDED: (_EVERY.format(1000),),
    PAPER: (_EVERY.format(1000),),
    SMOKE: (_EVERY.format(4), "batch_size = 4"),
}

STUDY = Study(
    "spectra",
    "eigenvalues along the training of 707 weights: does LOGAN move them?",
    (
        _PLAIN,
        _LOGAN,
        vary(
            _PLAIN,
            "symplectic",
            "symplectic adjustment",
            _dynamics("SymplecticGradientAdjustment"),
        ),
        vary(_PLAIN, "consensus", "consensus", _dynamics("Consensus")),
    ),
    _STEPS,
    size=_SIZES,
    figures={"planes": draw},
    needs_folders=True,
    tables={"Eigenvalues above 1 % of the largest:": rows},
)
