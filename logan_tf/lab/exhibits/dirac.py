"""The Dirac-GAN (Mescheder et al. 2018): data at 0, one sample at θ, D(x) = ψx."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from logan_tf.game.dynamics.plain import Plain
from logan_tf.lab import toys
from logan_tf.lab.descent import Descent
from logan_tf.lab.exhibits import pages, rates
from logan_tf.lab.exhibits.methods import METHODS
from logan_tf.lab.exhibits.rates import Start

ETA, STEPS = 0.2, 500
SLOPE = 0.5  # of f around the equilibrium
NEAR = 1e-3  # where the game is as good as linear
PENALTIES = (0.3, 1.0, 2.0)
MOVES = (0.1, 0.5, 0.9)


def run(folder: Path, seeds: int) -> None:
    """Writes tables and figures."""
    near, far = rates.starts(seeds, NEAR), rates.starts(seeds, np.sqrt(2))
    rows, others, drawn = [], [], {}
    for method in METHODS:
        descent, expected = method.descent(toys.dirac(), ETA), method.rate(ETA, SLOPE)
        row, path = _measured(descent, expected, near, far)
        drawn[method.label] = descent.toy, path
        rows.append({"": method.label} | row)
    for label, (toy, expected) in _changed().items():
        descent = Descent(toy, Plain(), ETA)
        row, path = _measured(descent, expected, near, far)
        drawn[label] = toy, path
        others.append({"": label} | row)
    rates.draw(folder / "figures" / "trajectories.png", drawn, 2.5)
    pages.write(
        folder,
        "rates and endings, η 0.2",
        [
            pages.Section(
                f"Dynamics: rates over {STEPS} steps from distance {NEAR:g}, endings "
                f"from distance √2, {seeds} starts:",
                rows,
            ),
            pages.Section("Changed games, with simultaneous steps:", others),
        ],
    )


def _changed() -> dict[str, tuple[toys.Toy, float]]:
    """Games with their closed form of ρ, by label."""
    found = {}
    for penalty in PENALTIES:
        root = np.emath.sqrt(penalty**2 / 4 - 0.25)
        values = penalty / 2 + np.array([1, -1]) * root
        rate = float(np.abs(1 - ETA * values).max())
        found[f"R1, γ {penalty:g}"] = toys.dirac(penalty), rate
    for move in MOVES:
        rate = float(np.sqrt(1 - 2 * move * ETA + ETA**2))
        label = f"Wasserstein, LOGAN (GD), α {move:g}"
        found[label] = toys.wasserstein_dirac(move), rate
    return found


def _measured(
    descent: Descent, expected: float, near: Sequence[Start], far: Sequence[Start]
) -> tuple[dict, np.ndarray]:
    """What is measured, and the path of the first start that is far."""
    measured = [rates.rate_of(path) for path in rates.paths(descent, near, STEPS)]
    ended = rates.paths(descent, far, STEPS)
    row = {
        "closed form ρ": f"{expected:.6f}",
        "measured ρ": measured,
        "largest difference": max(abs(x - expected) for x in measured),
        f"‖ω‖ after {STEPS}": [float(np.linalg.norm(path[-1])) for path in ended],
    }
    return row, ended[0]
