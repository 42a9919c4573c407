"""What a person looks at: grids of images, scatter plots of points."""

import math
import os
from collections.abc import Mapping, Sequence

import matplotlib.image
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from logan_tf import atomic_file
from logan_tf.errors import ConfigurationError
from logan_tf.metrics.modes import HIGH_QUALITY_SIGMAS

_COMFORTABLE_SIDE = 640  # pixels of a grid's longer side, about
_LONGEST = 24  # letters of a row's name
_MARGIN = 0.15  # of the modes' extent, around them


def grid(
    images: np.ndarray, columns: int | None = None, scale: int | None = None
) -> np.ndarray:
    """Tiles images row by row, a thin white line between them.

    Args:
      images: uint8 [n, h, w, c], c = 1 (gray) or 3 (RGB).
      columns: None makes the grid about square.
      scale: how many pixels a side one becomes (nearest neighbor); None chooses it so
        that the grid is about 640 pixels wide or high.

    Returns:
      uint8 [height, width, 3]; unused tiles are white.

    Raises:
      ConfigurationError: other images; fewer than one column or pixel.
    """
    num, height, width, channels = images.shape
    if images.dtype != np.uint8 or channels not in (1, 3):
        raise ConfigurationError(
            f"images are {images.dtype} {images.shape}: a grid takes uint8 "
            "[n, height, width, 1 or 3]"
        )
    columns = math.ceil(math.sqrt(num)) if columns is None else columns
    if num == 0 or columns < 1 or (scale is not None and scale < 1):
        raise ConfigurationError("a grid needs at least one image, column and pixel")
    columns = min(columns, num)
    rows = math.ceil(num / columns)
    if scale is None:
        scale = max(1, round(_COMFORTABLE_SIDE / max(rows * height, columns * width)))
    line = max(1, scale // 2)
    tiles = np.full((rows * columns, height, width, 3), 255, np.uint8)
    tiles[:num] = images
    tiles = tiles.repeat(scale, axis=1).repeat(scale, axis=2)
    framed = np.pad(
        tiles, ((0, 0), (0, line), (0, line), (0, 0)), constant_values=255
    ).reshape(rows, columns, height * scale + line, width * scale + line, 3)
    whole = framed.swapaxes(1, 2).reshape(rows * framed.shape[2], -1, 3)
    return whole[:-line, :-line]


def save_grid(
    path: str | os.PathLike[str],
    images: np.ndarray,
    columns: int | None = None,
    scale: int | None = None,
    rows: Sequence[str] = (),
) -> None:
    """Writes `grid(images, columns, scale)` as a PNG, with names before its rows."""
    tiled = grid(images, columns, scale)
    if rows:
        tiled = np.hstack([_names(rows, len(tiled)), tiled])
    with atomic_file.replacing(path) as file:
        matplotlib.image.imsave(file, tiled, format="png")


def _names(rows: Sequence[str], height: int) -> np.ndarray:
    """The rows' names from top to bottom, uint8 [height, as wide as need be, 3]."""
    size = min(12.0, 0.7 * height / len(rows))  # pixels, which are points at 72 dpi
    shown = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…" for name in rows]
    width = math.ceil(0.75 * size * max(map(len, shown))) + 8
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    for index, name in enumerate(shown):
        place = 1 - 6 / width, 1 - (index + 0.5) / len(rows)
        figure.text(*place, name, size=size, ha="right", va="center", parse_math=False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def save_figure(path: str | os.PathLike[str], figure: Figure) -> None:
    """Writes a figure as a PNG, whole or not at all."""
    with atomic_file.replacing(path) as file:
        figure.savefig(file, format="png")


def save_neighbors(
    path: str | os.PathLike[str],
    samples: np.ndarray,
    neighbors: np.ndarray,
    searched: int,
    title: str = "",
) -> None:
    """Draws samples, each before its row of nearest real images, as a PNG.

    Args:
      path: of the PNG.
      samples: uint8 [n, h, w, c].
      neighbors: uint8 [n, k, h, w, c], the nearest first.
      searched: among how many training images they were looked for.
      title: above the picture.

    Raises:
      ConfigurationError: other images.
    """
    num, nearest, height, width, channels = neighbors.shape
    pixels = max(num * height, (1 + nearest) * width)
    scale = max(1, round(_COMFORTABLE_SIDE / pixels))
    real = neighbors.reshape(num * nearest, height, width, channels)
    panels = {
        "sample": grid(samples, 1, scale),
        f"its {nearest} nearest of {searched:,} training images": grid(
            real, nearest, scale
        ),
    }
    _save_panels(path, panels, title)


def save_apart(
    path: str | os.PathLike[str], groups: Mapping[str, np.ndarray], title: str = ""
) -> None:
    """Draws pictures with their three channels apart behind each, as a PNG.

    Stacked digits are hard to read as colors, and easy one by one.

    Args:
      path: of the PNG.
      groups: name of a panel -> uint8 [n, h, w, 3], such as samples and real ones.
      title: above the picture.

    Raises:
      ConfigurationError: other images.
    """
    panels = {}
    for name, images in groups.items():
        if images.ndim != 4 or images.shape[-1] != 3:
            raise ConfigurationError(
                f"images are {images.shape}: three channels are drawn apart, "
                "[n, height, width, 3]"
            )
        singles = np.moveaxis(images, -1, 1)[..., None].repeat(3, axis=-1)
        rows = np.concatenate([images[:, None], singles], axis=1)
        across = 4 * max(1, round(math.sqrt(len(images) / 4)))
        panels[name] = grid(rows.reshape(-1, *images.shape[1:]), across)
    _save_panels(path, panels, title)


def _save_panels(
    path: str | os.PathLike[str], panels: Mapping[str, np.ndarray], title: str
) -> None:
    """Pictures uint8 [height, width, 3] side by side, each under its name."""
    shapes = [picture.shape for picture in panels.values()]
    size = sum(shape[1] for shape in shapes) / 100, shapes[0][0] / 100
    figure = Figure(figsize=(size[0] + 1, size[1] + 0.8), dpi=150, layout="constrained")
    ratios = [shape[1] for shape in shapes]
    drawn = figure.subplots(1, len(panels), width_ratios=ratios, squeeze=False)[0]
    for axes, (name, picture) in zip(drawn, panels.items(), strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(name, fontsize="small")
        axes.set_axis_off()
    figure.suptitle(title, fontsize="small")
    save_figure(path, figure)


def scatter(
    path: str | os.PathLike[str],
    points: np.ndarray,
    modes: np.ndarray,
    sigma: float,
    real: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draws generated points over the modes of a mixture, as a PNG.

    A circle of 3 sigma, where points are of high quality, surrounds each mode; the
    number of points outside of the frame stands below it.

    Args:
      path: of the PNG; 1000 x 1000 pixels.
      points: float [n, 2], generated.
      modes: float [num_modes, 2], the means.
      sigma: their standard deviation.
      real: float [m, 2], points of the data, drawn beneath; or None.
      title: above the plot.

    Raises:
      ConfigurationError: other shapes.
    """
    if points.shape[1:] != (2,) or modes.shape[1:] != (2,):
        raise ConfigurationError(
            f"points {points.shape} and modes {modes.shape}: a scatter plot takes "
            "[n, 2]"
        )
    figure = Figure(figsize=(5, 5), dpi=200, layout="constrained")
    axes = figure.add_subplot(aspect="equal", title=title)
    if real is not None:
        axes.plot(*real.T, ".", color="0.75", markersize=3, label="real", zorder=1)
    axes.plot(*points.T, ".", color="C0", markersize=2, label="generated", zorder=2)
    _draw_modes(axes, modes, sigma)
    low, high = modes.min() - 3 * sigma, modes.max() + 3 * sigma
    margin = _MARGIN * (high - low)
    low, high = low - margin, high + margin
    outside = int(((points < low) | (points > high)).any(axis=1).sum())
    below = f"{len(points):,} points, {outside:,} of them outside of the frame"
    axes.set(xlim=(low, high), ylim=(low, high), xlabel=below)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, markerscale=3)
    save_figure(path, figure)


def _draw_modes(axes: Axes, modes: np.ndarray, sigma: float) -> None:
    """Circles of 3 sigma: thin and black, they keep their meaning on a gray printer."""
    angles = np.linspace(0, 2 * np.pi, 61)
    circle = HIGH_QUALITY_SIGMAS * sigma * np.stack([np.cos(angles), np.sin(angles)])
    for mode in modes:
        axes.plot(*(mode[:, None] + circle), "k-", linewidth=0.6, zorder=3)
    label = rf"{HIGH_QUALITY_SIGMAS:g}$\sigma$ around a mode"
    axes.plot([], [], "ko", markersize=3, fillstyle="none", label=label)
