"""Curves as pictures."""

import os
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from logan_tf import quantities
from logan_tf.evaluation.receipts import Receipt
from logan_tf.evaluation.sweeps import LATENT_STEPS, Sweep
from logan_tf.plots import pictures

_AXES = {"latent_steps": "latent steps before sampling", "truncation": "truncation s"}
_DECADE = 10.0  # what spans more is drawn on a logarithmic axis


def plot(path: str | os.PathLike[str], sweep: Sweep, names: Sequence[str]) -> None:
    """Draws a sweep as a PNG, with intervals where the evaluations have them.

    Along latent steps each metric has a plot of its own (Fig. 7). Along truncation the
    first is drawn against the second, each point labeled by its s (Fig. 3b), and the
    others against s; of one metric alone, that is drawn against s.

    Args:
      path: of the PNG.
      sweep: of one evaluation or more.
      names: of metrics that the evaluations have, one at least.
    """
    parametric = sweep.axis != LATENT_STEPS and len(names) > 1
    plotted = names[2:] if parametric else names
    num = len(plotted) + parametric
    figure = Figure(figsize=(4.2 * num, 3.9), dpi=150, layout="constrained")
    panels = figure.subplots(1, num, squeeze=False)[0].tolist()
    if parametric:
        _plot_against(panels.pop(0), sweep, names[1], names[0])
    for axes, name in zip(panels, plotted, strict=True):
        _plot_along(axes, sweep, name)
    figure.suptitle(_title(sweep.evaluations[0].receipt), fontsize="medium")
    pictures.save_figure(path, figure)


def _plot_along(axes: Axes, sweep: Sweep, name: str) -> None:
    values, (heights, errors) = sweep.values(), _series(sweep, name)
    axes.errorbar(values, heights, errors, fmt="o-", capsize=3, markersize=4)
    axes.set(xlabel=_AXES[sweep.axis], ylabel=_label(sweep, name))
    if sweep.axis == LATENT_STEPS:
        axes.set_xticks(values)
    _scale(axes, heights)


def _plot_against(axes: Axes, sweep: Sweep, across: str, up: str) -> None:
    (x, x_errors), (y, y_errors) = _series(sweep, across), _series(sweep, up)
    axes.errorbar(x, y, y_errors, x_errors, fmt="o-", capsize=2, markersize=4)
    axes.set(xlabel=_label(sweep, across), ylabel=_label(sweep, up))
    axes.set_title(f"points labeled by their {_AXES[sweep.axis]}", fontsize="small")
    _scale(axes, y)
    for value, point in zip(sweep.values(), zip(x, y, strict=True), strict=True):
        axes.annotate(
            f"{value:g}", point, (5, 4), textcoords="offset points", fontsize="small"
        )


def _scale(axes: Axes, heights: Sequence[float]) -> None:
    if min(heights) > 0 and max(heights) > _DECADE * min(heights):
        axes.set_yscale("log")


def _series(sweep: Sweep, name: str) -> tuple[list[float], list[list[float]] | None]:
    """The values, and how far their intervals reach down and up."""
    metrics = [each.metrics[name] for each in sweep.evaluations]
    values = [metric["value"] for metric in metrics]
    if not all("interval" in metric for metric in metrics):
        return values, None
    ends = zip(values, (metric["interval"] for metric in metrics), strict=True)
    down, up = zip(*((v - low, high - v) for v, (low, high) in ends), strict=True)
    return values, [list(down), list(up)]


def _label(sweep: Sweep, name: str) -> str:
    known = quantities.find(name)
    judge = name.removeprefix(known.name).strip("_")
    of = sweep.evaluations[0].metrics[name].get("of")
    return known.axis + (f" ({judge})" if judge else "") + (f" of {of:,}" if of else "")


def _title(receipt: Receipt) -> str:
    parts = [
        f"{receipt.recipe or receipt.protocol}, step {receipt.checkpoint_step:,}",
        f"{receipt.num_samples:,} samples",
        receipt.seeds(),
    ]
    intervals = ": mean and 95 % interval" if receipt.num_seeds > 1 else ""
    return ", ".join(parts) + intervals
