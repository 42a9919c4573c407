"""Eigenvalues in the complex plane."""

import os

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from logan_tf import atomic_file

_LEAST, _MOST = 9.0, 160.0  # areas of points
COLORS = "coolwarm"


def save(
    path: str | os.PathLike[str],
    values: np.ndarray,
    share: np.ndarray,
    gradient: np.ndarray,
    title: str = "",
) -> None:
    """Draws a plane as a PNG; what it takes is `draw`'s."""
    figure = Figure(figsize=(5.4, 4.4), dpi=110, layout="constrained")
    panel = figure.subplots()
    points = draw(panel, values, share, gradient)
    figure.colorbar(points, label="the discriminator's share of the eigenvector")
    panel.set_title(title)
    with atomic_file.replacing(path) as file:
        figure.savefig(file, format="png")


def draw(
    panel: Axes, values: np.ndarray, share: np.ndarray, gradient: np.ndarray
) -> PathCollection:
    """A point for each eigenvalue.

    Args:
      panel: to draw in.
      values: complex [n].
      share: of one player, [n] in [0, 1]: the colors.
      gradient: the gradient's part along each, [n]: the areas; NaN is none.
    """
    areas = _LEAST + _MOST * np.clip(np.nan_to_num(gradient), 0, 1)
    panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    panel.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    points = panel.scatter(
        values.real,
        values.imag,
        s=areas,
        c=share,
        cmap=matplotlib.colormaps[COLORS],
        vmin=0,
        vmax=1,
        edgecolors="black",
        linewidths=0.4,
    )
    panel.set(xlabel="Re λ: above 0 it attracts", ylabel="Im λ: it rotates")
    return points
