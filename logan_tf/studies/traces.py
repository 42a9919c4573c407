"""Figures of what `metrics.jsonl` says along the training."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from logan_tf import quantities
from logan_tf.studies import panels, series
from logan_tf.studies.committed import CommittedRun
from logan_tf.studies.results import ArmRun, Results

Series = Callable[[ArmRun], np.ndarray]
Smooth = Callable[[np.ndarray, int], np.ndarray]


def metrics(results: Results, path: Path, names: Sequence[str]) -> None:
    """Numbers of `metrics.jsonl`, as moving averages."""
    _averaged(
        results,
        path,
        {quantities.find(name).axis: partial(_metric, name) for name in names},
    )


def update_speed(results: Results, path: Path) -> None:
    """Figure 6: how much more the discriminator moves than the generator."""

    def difference(run: ArmRun) -> np.ndarray:
        of = run.metrics
        return of["discriminator_update_norm"] - of["generator_update_norm"]

    _averaged(results, path, {"$‖Δθ_D‖ - ‖Δθ_G‖$": difference})


def changes(results: Results, path: Path) -> None:
    """Figure 5a: Δz in the latents' space and in D's, normalized as in App. F."""
    ((_, runs),) = list(results.begun())[:1]
    shown: dict[str, Series] = {
        "‖Δz‖": partial(_metric, "delta_z_norm"),
        "|f(z + Δz) − f(z)|": partial(_metric, "absolute_score_gain"),
    }
    with panels.opened(path, note=panels.RANGE) as ((panel,),):
        for index, (label, of) in enumerate(shown.items()):
            steps, found = _aligned(runs, of, _normalized)
            panels.band(panel, steps, found, label, panels.style(index), dots=False)
        name = "$x_t / \\sigma_t$, window 20,\nmedian of 20"
        panel.set(xlabel=panels.STEPS, ylabel=name)
        panels.logarithmic(panel)


def _averaged(results: Results, path: Path, shown: Mapping[str, Series]) -> None:
    """Moving averages; means of twentieths where a run is known no better."""
    smooth: Smooth
    smooth, means = series.moving_average, "moving average of 20 lines"
    if any(isinstance(run, CommittedRun) for run in results.runs):
        known = [CommittedRun.of_run(run) for _, rs in results.begun() for run in rs]
        results = dataclasses.replace(results, runs=known)
        smooth, means = _as_it_is, "means of twentieths"
    with panels.opened(path, columns=len(shown), note=panels.RANGE) as ((*drawn,),):
        for panel, (name, of) in zip(drawn, shown.items(), strict=True):
            for index, (arm, runs) in enumerate(results.begun()):
                steps, found = _aligned(runs, of, smooth)
                line = panels.style(index)
                panels.band(panel, steps, found, arm.label, line, dots=False)
            panel.set(xlabel=panels.STEPS, ylabel=f"{name},\n{means}")


def _as_it_is(line: np.ndarray, window: int) -> np.ndarray:
    return line


def _metric(name: str, run: ArmRun) -> np.ndarray:
    """NaN where the run is older than the metric."""
    return run.metrics.get(name, np.full(len(run.metrics["step"]), np.nan))


def _normalized(line: np.ndarray, window: int) -> np.ndarray:
    """App. F; σ_t is nearly 0 now and then, so neighbors are taken together."""
    return series.moving_median(series.normalized(line, window), window)


def _aligned(
    runs: Sequence[ArmRun], of: Series, smooth: Smooth
) -> tuple[np.ndarray, list[list]]:
    """The steps, and at each the smoothed series of the seeds that came so far."""
    longest = max(runs, key=lambda run: len(run.metrics["step"]))
    lines = [of(run) for run in runs]
    window = series.at_most(series.WINDOW, max(map(len, lines)))
    smoothed = [smooth(line, window) for line in lines if len(line) >= 2 * window]
    length = max(map(len, smoothed), default=0)
    found = [[line[t] for line in smoothed if t < len(line)] for t in range(length)]
    return longest.metrics["step"][:length], found
