"""What all figures share: panels, one legend, and lines that differ in gray too."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from logan_tf import atomic_file

Style = dict[str, Any]

STEPS = "training steps (generator updates)"
RANGE = "line: mean over seeds; band: the least to the greatest"

# Their luminance differs as much as their hue.
_COLORS = ("#000000", "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#e69f00")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = "os^vD<>"
_LETTERS = 12  # of a legend, an inch
_SEED: Style = {"color": "0.4", "marker": "o", "linestyle": "", "mfc": "none"}
_MEAN: Style = {"color": "black", "marker": "D", "linestyle": "", "markersize": 5}


def style(index: int) -> Style:
    """The color, line and marker of one of 42 lines."""
    return {
        "color": _COLORS[index % len(_COLORS)],
        "linestyle": _LINES[index % len(_LINES)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.3,
    }


@contextlib.contextmanager
def opened(
    path: Path,
    rows: int = 1,
    columns: int = 1,
    height: float = 3.2,
    note: str = "",
    dpi: int = 150,
) -> Iterator[np.ndarray]:
    """Panels [rows, columns]; one legend and the PNG are made when the block ends."""
    size = (max(5.0, 3.9 * columns), height * rows + 0.9)
    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    yield panels
    handles: dict[str, Any] = {}
    panel: Axes
    for panel in panels.flat:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(
            handles.values(),
            handles,
            title=note or None,
            title_fontsize="small",
            loc="outside lower center",
            ncols=max(1, int(size[0] * _LETTERS / (max(map(len, handles)) + 10))),
            frameon=False,
            handlelength=3.5,
        )
    with atomic_file.replacing(path) as file:
        figure.savefig(file, format="png", bbox_inches="tight")


def band(
    panel: Axes,
    x: Iterable,
    found: Iterable,
    label: str,
    line: Style,
    dots: bool = True,
) -> None:
    """The mean over seeds as a line, the least to the greatest as a band.

    Args:
      panel: to draw in.
      x: positions.
      found: at each the values of all seeds; where there are none nothing is drawn.
      label: in the legend.
      line: of `style`.
      dots: whether there are markers.
    """
    known = [(at, each) for at, each in zip(x, found, strict=True) if len(each)]
    if not known:
        return
    at = np.array([at for at, _ in known])
    low, mean, high = (
        np.array([function(each) for _, each in known])
        for function in (np.min, np.mean, np.max)
    )
    panel.plot(at, mean, label=label, **(line | ({} if dots else {"marker": ""})))
    panel.fill_between(at, low, high, color=line["color"], alpha=0.15, linewidth=0)


def dots(panel: Axes, x: Sequence, y: Sequence, mean: Sequence) -> None:
    """Every seed a ring, their mean a diamond."""
    panel.plot(x, y, **_SEED)
    panel.plot(*mean, **_MEAN)


def explain_dots(panel: Axes) -> None:
    """Puts both into the legend."""
    panel.plot([], [], label="a seed", **_SEED)
    panel.plot([], [], label="mean over seeds", **_MEAN)


def logarithmic(panel: Axes) -> None:
    """A logarithmic y axis whose ticks are plain numbers."""
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_locator(NullLocator())


def ticks(set_ticks: Any, names: Sequence[float]) -> None:
    """One tick a value, evenly spaced."""
    set_ticks(range(len(names)), [f"{x:g}" for x in names], fontsize=6)
