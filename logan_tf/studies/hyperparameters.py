"""Tables 4 and 5: random settings of α, β, w_r and c, then a line a parameter."""

import random
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from logan_tf import quantities
from logan_tf.studies.results import Results, values
from logan_tf.studies.study import Arm, Study

SearchGrid = Mapping[str, Sequence[float]]
Setting = dict[str, float]

TABLE_4: SearchGrid = {
    "alpha": (0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0),
    "beta": (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
    "weight": (0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 3.0),
    "portion": (0.3, 0.5, 0.7, 0.8, 0.9, 1.0),
}
TABLE_5: SearchGrid = {
    "alpha": (0.7, 0.8, 0.9, 1.0),
    "beta": (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0),
    "weight": (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 100, 200, 300, 400, 500),
    "portion": (0.3, 0.5, 0.7, 0.8),
}
SYMBOLS = {"alpha": "α", "beta": "β", "weight": "$w_r$", "portion": "c"}
_STATEMENTS = {
    "alpha": "natural_gradient_step.step_size = {}",
    "beta": "natural_gradient_step.damping = {}",
    "weight": "LatentRule.regularizer_weight = {}",
    "portion": "LatentOptimizer.fraction = {}",
}
_METRIC = "fid"


def settings(
    base: Arm, grid: SearchGrid, number: int, seed: int = 0
) -> tuple[Arm, ...]:
    """Random settings of a grid, no two alike, as arms of the study's seeds."""
    rng = random.Random(seed)
    drawn: dict[str, Arm] = {}
    while len(drawn) < number:
        arm = _arm(base, {name: rng.choice(values) for name, values in grid.items()})
        drawn[arm.name] = arm
    return tuple(drawn.values())


def lines(results: Results, study: Study, *, base: Arm, grid: SearchGrid) -> list[Arm]:
    """Values of each parameter, the others being the best setting's; of three seeds.

    The best value itself, and four from the least to the greatest.
    """
    best = _best(results)
    if best is None:
        return []
    points = [best] + [
        best | {name: value} for name in grid for value in _spread(grid[name])
    ]
    arms = [_arm(base, point, seeds=3) for point in points]
    return list({arm.name: arm for arm in arms}.values())


def tried(results: Results) -> Iterator[tuple[Setting, float]]:
    """The random settings, and the FID at each one's end."""
    for arm in results.study.arms:
        ended = [run.at(results.last_step(arm)) for run in results.of(arm.name)[:1]]
        for value in values(ended, _METRIC):
            yield dict(arm.point), value


def line(results: Results, parameter: str) -> dict[float, list[float]]:
    """Value of a parameter → the FIDs over seeds, through the best setting."""
    best = _best(results)
    found: dict[float, list[float]] = {}
    for arm in results.arms:
        setting = dict(arm.point)
        if best is None or best | {parameter: setting[parameter]} != setting:
            continue
        ended = [run.at(results.last_step(arm)) for run in results.of(arm.name)]
        found[setting[parameter]] = values(ended, _METRIC)
    return {at: fids for at, fids in sorted(found.items()) if fids}


def _best(results: Results) -> Setting | None:
    found = list(tried(results))
    if not found:
        return None
    return found[quantities.find(_METRIC).best([value for _, value in found])][0]


def _spread(values: Sequence[float]) -> list[float]:
    """Four of the values, evenly by their place, both ends among them."""
    places = np.linspace(0, len(values) - 1, 4).round().astype(int)
    return [values[place] for place in places]


def _arm(base: Arm, setting: Setting, seeds: int | None = None) -> Arm:
    label = ", ".join(f"{SYMBOLS[name]} {value:g}" for name, value in setting.items())
    return Arm(
        "-".join(f"{name}{value:g}" for name, value in setting.items()),
        label.replace("$", ""),
        base.recipe,
        base.paper,
        tuple(
            _STATEMENTS[name].format(float(value)) for name, value in setting.items()
        ),
        seeds=seeds,
        point=tuple((name, float(value)) for name, value in setting.items()),
    )
