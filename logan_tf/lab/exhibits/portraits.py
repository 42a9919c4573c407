"""A ring of eight Gaussians while it is learnt: points, D's prediction, modes."""

import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from logan_tf.data.points import Ring
from logan_tf.game import latent, objectives
from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.latent_rule import LatentRule
from logan_tf.lab import portraits, watching
from logan_tf.lab.exhibits import pages
from logan_tf.lab.watching import Learner, Snapshot, watch
from logan_tf.metrics.modes import HIGH_QUALITY_SIGMAS, point_modes
from logan_tf.plots import animation
from logan_tf.studies import panels

STEPS, EVERY, EXTENT, COUNT = 5000, 100, 3.0, 1024
_HELD = 0.01  # share of the points that a mode has from which on it is held
_STEP = functools.partial(latent.natural_gradient_step, step_size=0.1, damping=0.01)
LEARNERS = (
    Learner("GAN", objectives.non_saturating),
    Learner("consensus", objectives.non_saturating, dynamics=Consensus()),
    Learner(
        "LOGAN (NGD)",
        objectives.non_saturating,
        latent_rule=LatentRule(latent.LatentOptimizer(_STEP, 1.0, bounds=None)),
    ),
)
"""Those of `ring_baseline` and `ring_logan`: D has one hidden layer and is weak."""


def run(folder: Path, seeds: int) -> None:
    """Writes tables and figures: of seed 0 the figures."""
    ring = Ring()
    found: dict[str, list[list[Snapshot]]] = {}
    for learner, experiment in watching.experiments(LEARNERS, ring, seeds):
        snapshots = list(watch(experiment, STEPS, EVERY, EXTENT, count=COUNT))
        found.setdefault(learner.label, []).append(snapshots)
    rows = [{"": label} | numbers(each, ring) for label, each in found.items()]
    first = {label: each[0] for label, each in found.items()}
    figures = folder / "figures"
    film(figures / "training.gif", first, ring)
    occupancy(figures / "occupancy.png", first, ring)
    heading = (
        f"Of {COUNT:,} points of the generator itself (no average), "
        f"after {STEPS:,} steps and, every {EVERY} steps, over the second half of "
        "training; a mode is held with 1 % of the points within 3σ:"
    )
    title = "a ring of eight Gaussians while it is learnt, with a weak discriminator"
    pages.write(folder, title, [pages.Section(heading, rows)])


def shares(snapshot: Snapshot, ring: Ring) -> np.ndarray:
    """Of all points, those within 3σ of each mode, float64 [modes]."""
    distances = np.linalg.norm(snapshot.points[:, None] - ring.modes[None], axis=-1)
    return (distances <= HIGH_QUALITY_SIGMAS * ring.sigma).mean(axis=0)


def numbers(found: Sequence[Sequence[Snapshot]], ring: Ring) -> dict[str, Any]:
    """Of each seed: at the end, and how many modes it held at a time and in all.

    A generator that goes round holds more modes in all than at a time.
    """
    row: dict[str, list[float]] = {}
    for snapshots in found:
        last = point_modes(snapshots[-1].points, ring.modes, ring.sigma)
        later = snapshots[len(snapshots) // 2 :]
        held = np.array([shares(each, ring) >= _HELD for each in later])
        for name, value in {
            "modes": last.modes,
            "high quality": last.high_quality,
            "held at a time": held.sum(axis=1).mean(),
            "held in all": held.any(axis=0).sum(),
        }.items():
            row.setdefault(name, []).append(float(value))
    return row


def film(path: Path, found: Mapping[str, Sequence[Snapshot]], ring: Ring) -> None:
    """D's prediction and the points of each learner, side by side, by step."""
    with tempfile.TemporaryDirectory() as frames:
        pictures = {}
        for moment in zip(*found.values(), strict=True):
            step = moment[0].step
            pictures[step] = Path(frames) / f"{step}.png"
            columns = len(found)
            opened = panels.opened(pictures[step], 1, columns, 2.6, dpi=72)
            with opened as ((*drawn,),):
                for panel, label, each in zip(drawn, found, moment, strict=True):
                    portraits.critic(panel, each, EXTENT, ring.modes)
                    panel.set_title(label, fontsize=12)
        animation.save(path, pictures)


def occupancy(path: Path, found: Mapping[str, Sequence[Snapshot]], ring: Ring) -> None:
    """Each mode's share of the points by step: stripes where it is held."""
    with panels.opened(path, columns=len(found), height=2.6) as ((*drawn,),):
        panel: Axes
        for panel, (label, snapshots) in zip(drawn, found.items(), strict=True):
            image = np.array([shares(each, ring) for each in snapshots]).T
            shown = panel.imshow(
                image, aspect="auto", cmap="Greys", vmin=0, vmax=1 / len(ring.modes),
                extent=(0, STEPS, -0.5, len(ring.modes) - 0.5), origin="lower",
            )  # fmt: skip
            panel.set(title=label, xlabel="training steps", ylabel="mode")
        panel.figure.colorbar(shown, ax=drawn, label="share of the points within 3σ")
