"""f = xy: a pure rotation, on which every dynamics has a closed-form rate."""

from pathlib import Path

import numpy as np

from logan_tf.game.dynamics.momentum import Momentum
from logan_tf.game.dynamics.plain import Plain
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.lab import toys
from logan_tf.lab.descent import Descent
from logan_tf.lab.exhibits import methods, pages, rates
from logan_tf.lab.exhibits.methods import ALTERNATING, BOTH, METHODS
from logan_tf.studies import panels

ETA, STEPS, SHOWN = 0.3, 400, 60
BETAS = ((0.0, 0.0), (-0.5, -0.5), (-0.5, 0.0), (0.0, -0.5), (0.5, 0.5), (0.0, 0.5))
RATES = (0.3, 0.8, 1.2)
TIMES = (100, 200, 400, 800, 1600)


def run(folder: Path, seeds: int) -> None:
    """Writes tables and figures."""
    begun = rates.starts(seeds, np.sqrt(2))
    rows, drawn = [], {}
    for method in METHODS:
        descent = method.descent(toys.bilinear(), ETA)
        found = rates.paths(descent, begun, STEPS)
        measured = [rates.rate_of(path) for path in found]
        expected = method.rate(ETA, 1.0)
        rows.append(
            {
                "": method.label,
                "closed form ρ": f"{expected:.6f}",
                "measured ρ": measured,
                "largest difference": max(abs(x - expected) for x in measured),
                f"‖ω‖ after {STEPS}": [float(np.linalg.norm(p[-1])) for p in found],
            }
        )
        drawn[method.label] = descent.toy, found[0][:SHOWN]
    figures = folder / "figures"
    rates.draw(figures / "trajectories.png", drawn, 3.0)
    averages = _averages(figures / "averages.png")
    pages.write(
        folder,
        "rates on f = xy, η 0.3",
        [
            pages.Section(f"Rates, {seeds} starts at distance √2:", rows),
            pages.Section("T‖mean of ω over T steps‖, from (1, 1):", averages),
            pages.Section(
                "Momentum (β_D, β_G), closed form ρ and measured:", _momentum(begun)
            ),
        ],
    )


def _averages(path: Path) -> list[dict]:
    """Alternating steps go round, and their mean comes to 0 as 1/T."""
    rows = []
    with panels.opened(path, columns=2) as ((*drawn,),):
        for panel, schedule in zip(drawn, (ALTERNATING, BOTH), strict=True):
            label = "alternating" if schedule is ALTERNATING else "simultaneous"
            descent = Descent(toys.bilinear(), Plain(), ETA, schedule)
            omega = descent.trajectory(TIMES[-1])
            times = np.arange(1, len(omega) + 1)
            means = np.cumsum(omega, axis=0) / times[:, None]
            for index, (what, each) in enumerate(
                {"the players": omega, "their mean so far": means}.items()
            ):
                line = panels.style(index) | {"marker": ""}
                panel.plot(times, np.linalg.norm(each, axis=1), label=what, **line)
            panel.set(xlabel="steps", ylabel="‖ω‖", title=label, xscale="log")
            panel.set_yscale("log")
            if schedule is BOTH:
                panel.set_ylim(1e-2, 1e6)
            sizes = {T: T * np.linalg.norm(means[T - 1]) for T in TIMES}
            rows.append({"": label} | {f"T = {t:,}": x for t, x in sizes.items()})
    return rows


def _momentum(begun: list) -> list[dict]:
    """Which pairs converge, stay bounded, or leave (Gidel et al. 2019, Table)."""
    rows = []
    for of_d, of_g in BETAS:
        beta = {DISCRIMINATOR: of_d, GENERATOR: of_g}
        for schedule in (BOTH, ALTERNATING):
            alternating = schedule is ALTERNATING
            name = "alternating" if alternating else "simultaneous"
            row = {"β_D": f"{of_d:g}", "β_G": f"{of_g:g}", "steps": name}
            for rate in RATES:
                descent = Descent(toys.bilinear(), Momentum(beta), rate, schedule)
                (path,) = rates.paths(descent, begun[:1], STEPS)
                measured = rates.rate_of(path)
                expected = methods.momentum(rate, of_d, of_g, alternating)
                row[f"η {rate:g}"] = (
                    f"{expected:.4f}, {measured:.4f}: {_fate(expected)}"
                )
            rows.append(row)
    return rows


def _fate(rate: float) -> str:
    if abs(rate - 1) < 1e-6:
        return "bounded"
    return "converges" if rate < 1 else "diverges"
