"""Curves as SVG pictures of a page. Imports no TensorFlow."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

_MOST_POINTS = 250  # more cannot be told apart in a chart of 400 pixels
_LOGARITHMIC = 1000.0  # the spread of positive values from which their scale is
# Values as rare as this leave the frame where they would make all others a flat line.
_RARE, _SPIKES = 0.005, 4.0
_TICKS = 6
_MINUS, _NONE = "\N{MINUS SIGN}", "\N{EN DASH}"
_SIZE = (4.6, 2.7)  # inches
_COLORS = ("#0067a8", "#c2500b", "#00805c")
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    # Without it each drawing has ids of its own.
    "svg.hashsalt": "chart",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "black",
    "grid.alpha": 0.15,
}


class Line(NamedTuple):
    """A quantity over the steps.

    Attributes:
      label: its name.
      steps: [n], ascending.
      values: [n]; what is not finite is left out.
    """

    label: str
    steps: np.ndarray
    values: np.ndarray

    def finite(self) -> "Line":
        """The line without what is not finite."""
        kept = np.isfinite(self.values)
        return Line(self.label, self.steps[kept], self.values[kept])


class Chart(NamedTuple):
    """A drawing and what it shows in words.

    Attributes:
      title: of the chart.
      svg: the drawing, a file's text.
      summary: of each line its name, last value and range.
      note: what the quantities are.
    """

    title: str
    svg: str
    summary: list[str]
    note: str = ""

    @property
    def uri(self) -> str:
        """The drawing for an `img` element, which runs and loads nothing of it."""
        encoded = base64.b64encode(self.svg.encode()).decode("ascii")
        return f"data:image/svg+xml;base64,{encoded}"


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    note: str = "",
    marks: Sequence[float] = (),
    dots: bool = False,
) -> Chart | None:
    """Draws up to three lines against the steps.

    Of many points each bin's mean is drawn, and a band from its least to its greatest;
    rare spikes may leave the frame, the summary has them.

    Args:
      title: tells the chart from the page's others.
      lines: on one scale, which is logarithmic where it has to be.
      note: what the quantities are.
      marks: steps at which something happened.
      dots: whether to mark each point.

    Returns:
      The chart; None if there is nothing to draw.
    """
    lines = [
        line for line in map(Line.finite, lines[: len(_COLORS)]) if len(line.steps)
    ]
    if not lines:
        return None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE)
        axes = figure.add_axes((0.15, 0.16, 0.83, 0.8))
        for line, color, dash in zip(lines, _COLORS, _DASHES, strict=False):
            _draw(axes, line, color, dash, dots)
        for mark in marks:
            axes.axvline(mark, color="black", linewidth=0.8, linestyle=":")
        _scale(axes, lines)
        if len(lines) > 1:
            axes.legend(edgecolor="none", framealpha=0.7, fontsize=8)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    summary = [_summary(line, title) for line in lines]
    return Chart(title, buffer.getvalue(), summary, note)


def shown(value: object) -> str:
    """A value in four digits, or all digits of a greater one's integer."""
    if isinstance(value, bool | str):
        return str(value)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return _NONE
    whole = isinstance(value, int) or 1e3 <= abs(value) < 1e9
    return (f"{value:,.0f}" if whole else f"{value:.4g}").replace("-", _MINUS)


def decimate(
    steps: np.ndarray, values: np.ndarray, most: int = _MOST_POINTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bins of about equally many points.

    Args:
      steps: [n], n at least 1.
      values: [n], finite.
      most: how many bins there may be.

    Returns:
      Each bin's mean step, mean, least and greatest value, [min(n, most)] each.
    """
    bins = min(len(steps), most)
    starts: np.ndarray = np.arange(bins) * len(steps) // bins
    counts = np.diff([*starts, len(steps)])
    return (
        np.add.reduceat(steps, starts) / counts,
        np.add.reduceat(values, starts) / counts,
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
    )


def _draw(axes: Axes, line: Line, color: str, dash: Any, dots: bool) -> None:
    steps, mean, low, high = decimate(line.steps, line.values)
    if len(steps) < len(line.steps):
        axes.fill_between(steps, low, high, color=color, alpha=0.25, linewidth=0)
    axes.plot(
        steps,
        mean,
        color=color,
        linestyle=dash,
        linewidth=1.3,
        marker="o" if dots or len(steps) == 1 else "",
        markersize=3.5,
        label=line.label,
    )


def _scale(axes: Axes, lines: Sequence[Line]) -> None:
    values = np.concatenate([line.values for line in lines])
    if values.min() > 0 and values.max() > _LOGARITHMIC * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        low, high = np.quantile(values, (_RARE, 1 - _RARE))
        if 0 < _SPIKES * (high - low) < np.ptp(values):
            axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=True))
    axes.xaxis.set_major_formatter(_written(",.0f"))
    axes.yaxis.set_major_formatter(_written(".6g"))
    axes.set_xlabel("step")


def _written(form: str) -> FuncFormatter:
    """matplotlib's own would write powers of ten as formulas."""
    return FuncFormatter(lambda value, _: f"{value:{form}}".replace("-", _MINUS))


def _summary(line: Line, title: str) -> str:
    low, high, last = map(
        float, (line.values.min(), line.values.max(), line.values[-1])
    )
    name = f"{line.label} " if line.label != title else ""
    within = f" ({shown(low)} to {shown(high)})" if low < high else ""
    return f"{name}{shown(last)}{within}"
