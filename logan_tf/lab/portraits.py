"""Pictures of games in the plane: where players go, what a discriminator sees."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes

from logan_tf.lab.toys import Toy
from logan_tf.lab.watching import Snapshot
from logan_tf.studies.panels import Style

_ARROWS = 15  # a side
_FEW_COLORS = matplotlib.colormaps["magma"].resampled(24)  # A film of more is large.


def field(panel: Axes, toy: Toy, extent: float) -> None:
    """The directions −v in a square around 0: first player along x, second along y.

    Args:
      panel: to draw in.
      toy: of two players of one number each, whose losses are sums over components,
        so that all places are played at once; the players stay where they are.
      extent: half a side.
    """
    players = list(toy.variables)
    ticks = np.linspace(-extent, extent, _ARROWS)
    places = np.stack(np.meshgrid(ticks, ticks)).reshape(2, -1)
    at = {p: [tf.constant(w)] for p, w in zip(players, places, strict=True)}
    gradients = toy.play(None, players, at).gradients
    arrows = -np.stack([gradients[p][0] for p in players])
    length = np.maximum(np.linalg.norm(arrows, axis=0), 1e-12)
    panel.quiver(
        *places, *(arrows / length), length, cmap="Greys", angles="xy", width=0.004,
        clim=(-length.max(), 2 * length.max()),
    )  # fmt: skip
    panel.set(
        xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal",
        xlabel=players[0], ylabel=players[1],
    )  # fmt: skip


def trajectory(panel: Axes, path: np.ndarray, style: Style, label: str = "") -> None:
    """A path [steps, 2] from its start, a ring, to its end, a diamond."""
    line: Style = style | {"marker": ""}
    panel.plot(*path.T, label=label or None, **line)
    color = style["color"]
    panel.plot(*path[0], marker="o", mfc="white", color=color, linestyle="")
    panel.plot(*path[-1], marker="D", color=color, linestyle="", markersize=4)


def ticked(panel: Axes, ticks: Sequence[float]) -> None:
    """The same few ticks on both axes."""
    panel.set_xticks(ticks)
    panel.set_yticks(ticks)


def critic(panel: Axes, snapshot: Snapshot, extent: float, modes: np.ndarray) -> None:
    """D's prediction σ(f) from .3, dark, to .7; generated points, rings at modes.

    Args:
      panel: to draw in.
      snapshot: with scores on the square of half a side `extent`.
      extent: of the square.
      modes: float [n, 2].
    """
    panel.imshow(
        1 / (1 + np.exp(-snapshot.scores)), cmap=_FEW_COLORS, vmin=0.3, vmax=0.7,
        extent=(-extent, extent, -extent, extent), origin="lower",
    )  # fmt: skip
    panel.plot(*modes.T, "o", mfc="none", mec="white", markersize=11)
    panel.plot(*snapshot.points.T, ".", color="#4de1ff", markersize=2, alpha=0.7)
    panel.set(xlim=(-extent, extent), ylim=(-extent, extent), xticks=[], yticks=[])


def surface(panel: Axes, snapshot: Snapshot, extent: float) -> None:
    """Level lines of the critic over the plane, and the generated points."""
    ticks = np.linspace(-extent, extent, len(snapshot.scores))
    panel.contour(ticks, ticks, snapshot.scores, levels=12, cmap="viridis")
    panel.plot(*snapshot.points.T, ".", color="#d55e00", markersize=1.5, alpha=0.7)
    panel.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
    ticked(panel, (-2, 0, 2))
