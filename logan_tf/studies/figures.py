"""The figures: one function each, from results to a PNG."""

import itertools
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from logan_tf import quantities, small_files
from logan_tf.errors import BadDataError, first_line
from logan_tf.plots.pictures import grid as tiled
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies import hyperparameters, panels
from logan_tf.studies.hyperparameters import SYMBOLS, TABLE_4, SearchGrid, Setting
from logan_tf.studies.results import ArmRun, Results, pictures_path, values


def curves(
    results: Results, path: Path, metrics: Sequence[str], wall_clock: bool = False
) -> None:
    """Metrics against training steps, and against the time that they take."""
    metrics = _measured(results, metrics)
    shape = {"rows": 1 + wall_clock, "columns": len(metrics)}
    with panels.opened(path, **shape, note=panels.RANGE) as drawn:
        for row, column in np.ndindex(drawn.shape):
            panel, metric = drawn[row, column], metrics[column]
            for index, (arm, runs) in enumerate(results.begun()):
                steps = [step for step in _evaluated(runs) if step]
                found = [values([run.at(s) for run in runs], metric) for s in steps]
                minutes = [(run.seconds_per_step or np.nan) / 60 for run in runs]
                x = np.array(steps) * (np.mean(minutes) if row else 1)
                panels.band(panel, x, found, arm.label, panels.style(index))
            panel.set(xlabel="training time (minutes)" if row else panels.STEPS)
            _name(panel, metric)


def finals(results: Results, path: Path, metrics: Sequence[str]) -> None:
    """Each arm's metrics at its last step."""
    metrics = _measured(results, metrics)
    begun = list(results.begun())[::-1]
    # One that has not come to its last step would be a line without a dot.
    arms = [
        (arm, runs)
        for arm, runs in begun
        if any(run.at(results.last_step(arm)) for run in runs)
    ]
    height = 1 + 0.28 * len(arms)
    with panels.opened(path, columns=len(metrics), height=height) as ((*drawn,),):
        for panel, metric in zip(drawn, metrics, strict=True):
            for y, (arm, runs) in enumerate(arms):
                last = [run.at(results.last_step(arm)) for run in runs]
                if found := values(last, metric):
                    panels.dots(panel, found, [y] * len(found), (np.mean(found), y))
            panel.set(xlabel=f"{quantities.find(metric).axis} at the last step")
            panel.grid(axis="x", color="0.9")
            labels = [arm.label for arm, _ in arms] if panel is drawn[0] else []
            panel.set_yticks(range(len(arms)), labels or [""] * len(arms))
        panels.explain_dots(drawn[0])


def latent_steps(results: Results, path: Path, metrics: Sequence[str]) -> None:
    """Figure 7: metrics against the latent steps at evaluation."""
    metrics, asked = _measured(results, metrics), results.study.asked
    with panels.opened(path, columns=len(metrics), note=panels.RANGE) as ((*drawn,),):
        for panel, metric in zip(drawn, metrics, strict=True):
            for index, (arm, runs) in enumerate(results.begun()):
                found = [_answered(results, runs, each, metric) for each in asked]
                x = [each.latent_steps for each in asked]
                panels.band(panel, x, found, arm.label, panels.style(index))
            panel.set(xlabel="latent steps at evaluation")
            _name(panel, metric)


def truncation_curves(results: Results, path: Path) -> None:
    """Figure 3b: FID against IS while the latents shrink, means over seeds."""
    with panels.opened(path, note="means over seeds; s from 1 on down") as ((panel,),):
        for index, (arm, runs) in enumerate(results.begun()):
            points = [
                [
                    np.mean(_answered(results, runs, each, m) or np.nan)
                    for m in ("is", "fid")
                ]
                for each in results.study.asked
            ]
            panel.plot(*np.array(points).T, label=arm.label, **panels.style(index))
        panel.set(xlabel="inception score")
        _name(panel, "fid")


def before_and_after(results: Results, path: Path) -> None:
    """Figure 8: samples before, after latent steps, and the difference of the two.

    There is none of a run that collapsed.
    """
    ((_, runs),) = list(results.begun())[:1]
    paths = [pictures_path(runs[0], asked) for asked in results.study.pictures]
    if not all(path.is_file() for path in paths):
        return
    before, after = (_pictures(path) for path in paths)
    difference = (127.5 + (after.astype(float) - before) / 2).astype(np.uint8)
    shown = {
        "before": before,
        f"after {results.study.pictures[1].latent_steps} latent steps": after,
        "difference (gray: none)": difference,
    }
    with panels.opened(path, columns=3) as ((*drawn,),):
        for panel, (title, pictures) in zip(drawn, shown.items(), strict=True):
            _samples(panel, pictures, title)


def matched_samples(results: Results, path: Path) -> None:
    """Figures 1 and 2: the first and the last arm at equal IS and at equal FID.

    The first arm's truncation is that of its highest IS, and of its least FID; the
    last arm's is the one that comes closest. There is none of runs that collapsed.
    """
    begun = list(results.begun())
    pair = [(arm, runs[0]) for arm, runs in (begun[0], begun[-1])]
    asked = results.study.pictures
    if not all(pictures_path(run, each).is_file() for _, run in pair for each in asked):
        return
    of = {
        metric: [
            [_answered(results, [run], each, metric)[0] for each in asked]
            for _, run in pair
        ]
        for metric in ("is", "fid")
    }
    with panels.opened(path, rows=2, columns=2, height=4.2) as drawn:
        for row, metric in enumerate(("is", "fid")):
            first, other = np.array(of[metric])
            chosen = quantities.find(metric).best(first.tolist())
            closest = int(np.argmin(np.abs(other - first[chosen])))
            for column, at in enumerate((chosen, closest)):
                (arm, run), each = pair[column], asked[at]
                title = (
                    f"{arm.label}, truncation {each.truncation:g}\n"
                    f"IS {of['is'][column][at]:.4g}, FID {of['fid'][column][at]:.4g}"
                )
                pictures = _pictures(pictures_path(run, each))
                panel: Axes = drawn.item(row, column)
                _samples(panel, pictures, title)
                panel.set_ylabel("" if column else f"at equal {metric.upper()}")


def _pictures(path: Path) -> np.ndarray:
    try:
        return small_files.read_arrays(path)["images"]
    except (*small_files.GARBLED, zipfile.BadZipFile) as error:
        raise BadDataError(
            f"{path} cannot be read ({first_line(error)}): remove it, and it is drawn "
            "again"
        ) from error


def _samples(panel: Axes, pictures: np.ndarray, title: str) -> None:
    panel.imshow(tiled(pictures, columns=4), interpolation="nearest")
    panel.set(xticks=[], yticks=[])
    panel.set_title(title, fontsize="medium")


def search(results: Results, path: Path, grid: SearchGrid = TABLE_4) -> None:
    """Tables 4 and 5: the best FID of each pair of values; lines through the best."""
    pairs = list(itertools.combinations(grid, 2))
    found = list(hyperparameters.tried(results))
    # Few settings are ten times worse: without them the others can be told apart.
    fids = [value for _, value in found] or [1.0]
    norm = LogNorm(min(fids), float(np.quantile(fids, 0.9)))
    with panels.opened(path, rows=2, columns=5, height=3.0) as drawn:
        panel: Axes
        for panel, pair in zip(drawn.flat, pairs, strict=False):
            _heat_map(panel, pair, grid, found, norm)
        for panel, name in zip(drawn.flat[len(pairs) :], grid, strict=True):
            for at, line in hyperparameters.line(results, name).items():
                x = grid[name].index(at)
                panels.dots(panel, [x] * len(line), line, (x, float(np.mean(line))))
            panels.ticks(panel.set_xticks, grid[name])
            panel.set(xlabel=f"{SYMBOLS[name]}, the others as in the best setting")
            _name(panel, "fid")
        panels.explain_dots(drawn.flat[-1])


def _heat_map(
    panel: Axes,
    pair: tuple[str, str],
    grid: SearchGrid,
    found: Sequence[tuple[Setting, float]],
    norm: LogNorm,
) -> None:
    """The best value of each cell; cells without a setting are hatched."""
    x, y = pair
    cells = np.full([len(grid[y]), len(grid[x])], np.nan)
    for setting, value in found:
        cell = grid[y].index(setting[y]), grid[x].index(setting[x])
        cells[cell] = np.fmin(cells[cell], value)
    panel.patch.set(hatch="////", edgecolor="0.7")
    image = panel.imshow(cells, origin="lower", aspect="auto", cmap="gray", norm=norm)
    panels.ticks(panel.set_xticks, grid[x])
    panels.ticks(panel.set_yticks, grid[y])
    panel.set(xlabel=SYMBOLS[x], ylabel=SYMBOLS[y])
    label = "the cell's least FID"
    bar = panel.figure.colorbar(image, ax=panel, label=label, extend="max")
    panels.logarithmic(bar.ax)


def _answered(
    results: Results, runs: Sequence[ArmRun], asked: SamplingSettings, metric: str
) -> list[float]:
    found = [run.at(results.last_step(run.arm), asked) for run in runs]
    return values(found, metric)


def _evaluated(runs: Sequence[ArmRun]) -> list[int]:
    receipts = [each.receipt for run in runs for each in run.evaluations]
    return sorted({receipt.checkpoint_step or 0 for receipt in receipts})


def _name(panel: Axes, metric: str) -> None:
    panel.set(ylabel=quantities.find(metric).axis)
    if metric == "fid":
        panels.logarithmic(panel)


def _measured(results: Results, metrics: Sequence[str]) -> list[str]:
    """Those that the runs have: the embedded data has modes, the paper's has not."""
    evaluations = [each for run in results.runs for each in run.evaluations[-1:]]
    found = [metric for metric in metrics if values(evaluations, metric)]
    return found or list(metrics[:1])
