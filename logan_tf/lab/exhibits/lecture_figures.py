"""What the lectures draw: distances, costs, critics, classes of fixed points."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from logan_tf.game.dynamics.plain import Plain
from logan_tf.lab import portraits, toys
from logan_tf.lab.descent import Descent
from logan_tf.lab.exhibits import distances, pages
from logan_tf.lab.exhibits.distances import EDGES, gaussian
from logan_tf.metrics.modes import point_modes
from logan_tf.studies import panels

REAL, FAKES = (0.0, 1.0), ((0.5, 1.0), (2.0, 1.0), (3.0, 0.7), (-1.0, 2.0))
BATCH, RATE = 20_000, 0.05
Family = tuple[
    Callable[[np.ndarray, float], np.ndarray],
    Callable[[np.ndarray, float], np.ndarray],
    tuple[float, ...],
]
"""(z, θ) → g_θ(z); (x, θ) → the optimal critic; values of θ."""

_AWAY = 8.0  # where the two Gaussians of the critic's figure end


def run(folder: Path, seeds: int) -> None:
    """Writes tables and figures."""
    figures = folder / "figures"
    _distances(figures / "distances.png")
    _costs(figures / "costs.png")
    _critics(figures / "critics.png")
    _fixed_points(figures / "fixed_points.png")
    sections = [
        pages.Section("The value of minimax at the optimal D:", identities()),
        pages.Section(
            f"Theorem 3: dW/dθ and −E ∂f(g_θ(z))/∂θ against N(0, 1), {seeds} seeds:",
            theorem_3(seeds),
        ),
        pages.Section(
            "Mean log-likelihood of held-out points under a mixture fit to a model's "
            "samples:",
            log_likelihoods(seeds),
        ),
    ]
    pages.write(folder, "the lectures' figures and formulas", sections)


def identities() -> list[dict]:
    """V(D*, G) = −ln 4 + 2 JS, and what G's non-saturating loss is up to a constant.

    E_G[−ln D*] has the gradient of KL(G ‖ real) − 2 JS (Arjovsky & Bottou 2017, Th.
    2.5): at two θ the losses with D* held differ, to first order, by as much.
    """
    real = gaussian(EDGES, *REAL)
    rows = []
    for mean, deviation in FAKES:
        fake = gaussian(EDGES, mean, deviation)
        best = real / np.maximum(real + fake, 1e-300)
        value = np.trapezoid(
            real * np.log(np.maximum(best, 1e-300))
            + fake * np.log(np.maximum(1 - best, 1e-300)),
            EDGES,
        )
        expected = -np.log(4) + 2 * distances.js(real, fake)
        h = 1e-4
        near = [gaussian(EDGES, mean + step, deviation) for step in (h, -h)]
        losses = [
            np.trapezoid(-q * np.log(np.maximum(best, 1e-300)), EDGES) for q in near
        ]
        both = [distances.kl(q, real) - 2 * distances.js(q, real) for q in near]
        rows.append(
            {
                "G": f"N({mean:g}, {deviation:g}²)",
                "V(D*, G)": float(value),
                "−ln 4 + 2 JS": float(expected),
                "∂ E_G[−ln D*] / ∂mean": float((losses[0] - losses[1]) / (2 * h)),
                "∂ (KL − 2 JS) / ∂mean": float((both[0] - both[1]) / (2 * h)),
            }
        )
    return rows


def theorem_3(seeds: int) -> list[dict]:
    """dW/dθ, and −E ∂f(g_θ(z))/∂θ with the optimal critic f against N(0, 1).

    A moved normal, g = z + θ, has f(x) = −sign(θ) x; a scaled one, g = θz with θ > 0,
    f(x) = −sign(θ − 1) |x|.
    """
    families: dict[str, Family] = {
        "z + θ": (lambda z, t: z + t, lambda x, t: -np.sign(t) * x, (-1.5, 0.4, 2.0)),
        "θz": (
            lambda z, t: z * t,
            lambda x, t: -np.sign(t - 1) * np.abs(x),
            (0.5, 2.0),
        ),
    }
    real, h, rows = gaussian(EDGES, 0, 1), 1e-3, []
    for name, (generator, critic, thetas) in families.items():
        for theta in thetas:
            found = []
            for seed in range(seeds):
                z = np.random.default_rng(seed).normal(size=BATCH)
                # The critic is that of θ: it does not move with the generator.
                scores = [critic(generator(z, theta + s), theta) for s in (h, -h)]
                found.append(float(-(scores[0] - scores[1]).mean() / (2 * h)))
            shapes = [
                (theta + s, 1.0) if name == "z + θ" else (0.0, theta + s)
                for s in (h, -h)
            ]
            near = [distances.earth_mover(real, gaussian(EDGES, *x)) for x in shapes]
            slope = float((near[0] - near[1]) / (2 * h))
            row = {"g": name, "θ": f"{theta:g}", "dW/dθ": slope, "−E ∂f/∂θ": found}
            rows.append(row)
    return rows


def log_likelihoods(seeds: int) -> list[dict]:
    """Of Gaussian windows around samples, whose width is chosen for the best value.

    Two models of eight modes: one has all of them and smears each, one has three and
    draws them as the data does. The measure prefers the first, of which hardly a point
    is of high quality: it sees what is missing, not what is wrong.
    """
    angles = 2 * np.pi * np.arange(8) / 8
    modes = 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    rows = []
    models = {"the data": (8, 0.02), "all modes, blurred": (8, 0.3), "three": (3, 0.02)}
    for name, (num_modes, sigma) in models.items():
        row: dict = {"samples": name, "high quality": [], "log-likelihood (nats)": []}
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            held_out, samples = (
                modes[rng.integers(of, size=500)] + width * rng.normal(size=(500, 2))
                for of, width in ((8, 0.02), (num_modes, sigma))
            )
            found = point_modes(samples, modes, 0.02)
            row["high quality"].append(found.high_quality)
            row["log-likelihood (nats)"].append(_windows(samples, held_out))
        rows.append(row)
    return rows


def _windows(samples: np.ndarray, points: np.ndarray) -> float:
    """The best mean log-density over widths, float64 [n, 2] each."""
    squares = ((points[:, None] - samples[None]) ** 2).sum(-1)
    found = []
    for width in np.geomspace(0.01, 2, 24):
        exponents = -squares / (2 * width**2)
        most = exponents.max(axis=1)
        total = np.exp(exponents - most[:, None]).mean(axis=1)
        found.append(np.mean(most + np.log(total) - np.log(2 * np.pi * width**2)))
    return float(max(found))


def _distances(path: Path) -> None:
    thetas = np.linspace(-2, 2, 81)
    real = gaussian(EDGES, 0, 0.3)
    with panels.opened(path, columns=2) as ((lines, bells),):
        on_lines = [distances.parallel_lines(theta) for theta in thetas]
        for index, name in enumerate(("EM", "JS", "total variation")):
            line = panels.style(index) | {"marker": ""}
            lines.plot(thetas, [each[name] for each in on_lines], label=name, **line)
        measures = {
            "EM": distances.earth_mover,
            "JS": distances.js,
            "total variation": distances.total_variation,
            "KL": distances.kl,
        }
        for index, (name, measure) in enumerate(measures.items()):
            found = [measure(real, gaussian(EDGES, theta, 0.3)) for theta in thetas]
            line = panels.style(index) | {"marker": ""}
            bells.plot(thetas, found, label=name, **line)
        lines.set(xlabel="θ", title="parallel lines (KL is infinite but at 0)")
        bells.set(xlabel="θ", title="N(0, 0.3²) and N(θ, 0.3²)", ylim=(0, 4))


def _costs(path: Path) -> None:
    """G's loss and its slope against D's logit of a generated sample."""
    logit = np.linspace(-6, 6, 241)
    probability = 1 / (1 + np.exp(-logit))
    shown = {
        "minimax: ln(1 − D)": (np.log1p(-probability), -probability),
        "non-saturating: −ln D": (-np.log(probability), probability - 1),
        "Wasserstein, hinge: −f": (-logit, -np.ones_like(logit)),
    }
    with panels.opened(path, columns=2) as ((cost, slope),):
        for index, (label, (value, gradient)) in enumerate(shown.items()):
            line = panels.style(index) | {"marker": ""}
            cost.plot(logit, value, label=label, **line)
            slope.plot(logit, gradient, label=label, **line)
        cost.set(xlabel="logit f of a sample", title="G's loss")
        slope.set(xlabel="logit f of a sample", title="its slope")


def _critics(path: Path) -> None:
    """Two Gaussians that hardly meet: the optimal D, and the 1-Lipschitz critic."""
    x = np.linspace(-_AWAY, _AWAY, 400)
    real, fake = gaussian(x, -3, 1), gaussian(x, 3, 1)
    with panels.opened(path) as ((panel,),):
        shown = {
            "real": real / real.max(),
            "generated": fake / fake.max(),
            "optimal D": real / (real + fake),
            "optimal critic (÷ 8)": -x / _AWAY,
        }
        for index, (label, values) in enumerate(shown.items()):
            panel.plot(x, values, label=label, **(panels.style(index) | {"marker": ""}))
        panel.set(
            xlabel="x", title="D is flat where the samples are, the critic is not"
        )


def _fixed_points(path: Path) -> None:
    """Descent from eight places around each class of fixed points in the plane."""
    angles = 2 * np.pi * (np.arange(8) + 0.5) / 8
    with panels.opened(path, 2, 4, 3.4) as drawn:
        panel: Axes
        for panel, (name, matrix) in zip(
            drawn.flat, toys.FIXED_POINTS.items(), strict=True
        ):
            portraits.field(panel, toys.linear(matrix), 1.5)
            descent = Descent(toys.linear(matrix), Plain(), RATE)
            for angle in angles:
                start = np.array([np.cos(angle), np.sin(angle)])
                descent.restart(
                    {p: [w] for p, w in zip(descent.toy.variables, start, strict=True)}
                )
                path_ = descent.trajectory(60)
                line = panels.style(2) | {"linestyle": "-", "linewidth": 1}
                portraits.trajectory(panel, path_, line)
            panel.set_title(name, fontsize=10)
            portraits.ticked(panel, (-1.5, 0, 1.5))
