"""Trajectories of methods on a toy, and the rates at which they come or go."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from logan_tf.lab import portraits
from logan_tf.lab.descent import Descent
from logan_tf.lab.toys import Toy
from logan_tf.studies import panels

COLUMNS = 5
Start = Sequence[float]


def starts(seeds: int, norm: float) -> list[Start]:
    """One a seed, [2]: the first is on the diagonal, others anywhere on the circle."""
    angles = [np.pi / 4]
    angles += [
        np.random.default_rng(seed).uniform(0, 2 * np.pi) for seed in range(1, seeds)
    ]
    return [(norm * np.cos(t), norm * np.sin(t)) for t in angles]


def paths(descent: Descent, begun: Sequence[Start], steps: int) -> list[np.ndarray]:
    """A trajectory [steps + 1, 2] from each start."""
    found = []
    for start in begun:
        places = {p: [w] for p, w in zip(descent.toy.variables, start, strict=True)}
        descent.restart(places)
        found.append(descent.trajectory(steps))
    return found


def rate_of(path: np.ndarray) -> float:
    """ρ: how much ‖ω‖ changes in a step, a fit over the second half of a path.

    Where the norm is pulled to 0 sooner than that, over what is above rounding.
    """
    norms = np.linalg.norm(path, axis=1)
    above = np.flatnonzero(norms > 1e-140)
    used = above[len(above) // 2 :]
    slope = np.polyfit(used, np.log(norms[used]), 1)[0]
    return float(np.exp(slope))


def draw(
    path: Path, drawn: Mapping[str, tuple[Toy, np.ndarray]], extent: float
) -> None:
    """A panel for each trajectory, in the field of its game."""
    rows = -(-len(drawn) // COLUMNS)
    with panels.opened(path, rows, COLUMNS, 3.6) as opened:
        panel: Axes
        for panel, (label, (toy, each)) in zip(
            opened.flat, drawn.items(), strict=False
        ):
            portraits.field(panel, toy, extent)
            portraits.trajectory(panel, each, panels.style(2) | {"linestyle": "-"})
            panel.set_title(label, fontsize=10)
            portraits.ticked(panel, (-extent, 0, extent))
        for panel in opened.flat[len(drawn) :]:
            panel.set_visible(False)
