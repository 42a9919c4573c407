"""How a critic is kept Lipschitz: weight clipping against a gradient penalty.

Gulrajani et al. 2017, Fig. 1, whose findings lecture 003 shows: with clipping the
gradient explodes or vanishes over depth, weights go to the box's faces and the critic
is too simple. A critic of many layers learns a Swiss roll, with its generator.
"""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes

from logan_tf.data.points import SwissRoll
from logan_tf.game import objectives
from logan_tf.game.penalties.wgan_gp import WganGp
from logan_tf.game.schedules import Alternating
from logan_tf.lab import portraits, watching
from logan_tf.lab.exhibits import pages
from logan_tf.lab.watching import Learner, Snapshot, watch
from logan_tf.layers.weight_clipping import WeightClipping
from logan_tf.metrics.modes import point_modes
from logan_tf.studies import panels
from logan_tf.training.experiment import Experiment

STEPS, EXTENT, DEPTH = 2000, 2.4, 8
_EDGE = 0.98  # of the box: weights beyond lie on its faces
_WASSERSTEIN = partial(
    Learner,
    objective=objectives.wasserstein,
    hidden=(64,) * DEPTH,
    rate=1e-4,
    schedule=Alternating(5),
)
LEARNERS = (
    *(
        _WASSERSTEIN(f"clipped to ±{limit:g}", constraint=WeightClipping(limit))
        for limit in (0.01, 0.1, 0.3)
    ),
    _WASSERSTEIN("gradient penalty", penalties=lambda: (WganGp(),)),
)


def run(folder: Path, seeds: int) -> None:
    """Writes tables and figures: of seed 0 the figures."""
    roll = SwissRoll()
    rows: dict[str, dict[str, Any]] = {}
    first: dict[str, tuple] = {}
    for learner, experiment in watching.experiments(LEARNERS, roll, seeds):
        *_, last = watch(experiment, STEPS, STEPS, EXTENT)
        norms, weights = gradient_norms(experiment), kernels(experiment)
        first.setdefault(learner.label, (last, norms, weights))
        row = rows.setdefault(learner.label, {"": learner.label})
        for name, value in numbers(last, norms, weights, roll, learner).items():
            row.setdefault(name, []).append(value)
    draw(folder / "figures" / "clipping.png", first, roll)
    heading = (
        f"After {STEPS:,} steps of the generator and five times as many of a critic of "
        f"{DEPTH} hidden layers (norms: of its loss by each layer's kernel):"
    )
    title = "a critic kept Lipschitz by clipping, or by a gradient penalty"
    pages.write(folder, title, [pages.Section(heading, list(rows.values()))])


def gradient_norms(experiment: Experiment) -> np.ndarray:
    """‖∂L_D/∂W‖ of each of the critic's kernels on one batch, [layers], input first."""
    batch = next(iter(experiment.batches()))
    real, latents = batch.images[:, 0], batch.latents[:, 0]
    critic = experiment.discriminator
    variables = _kernels(critic)
    with tf.GradientTape() as tape:
        fake = experiment.generator(latents, None)
        losses = experiment.game.objective(critic(real), critic(fake))
    found = tape.gradient(losses.discriminator, [v.value for v in variables])
    return np.array([float(tf.norm(each)) for each in found])


def kernels(experiment: Experiment) -> np.ndarray:
    """All of the critic's hidden weights, [n]."""
    hidden = _kernels(experiment.discriminator)[1:-1]
    return np.concatenate([v.numpy().ravel() for v in hidden])


def _kernels(critic: keras.Model) -> list[keras.Variable]:
    """Of all layers, input first."""
    return [v for v in critic.trainable_variables if len(v.shape) == 2]


def numbers(
    last: Snapshot,
    norms: np.ndarray,
    weights: np.ndarray,
    roll: SwissRoll,
    learner: Learner,
) -> dict[str, float]:
    """What one seed's critic came to."""
    spacing = 2 * EXTENT / (len(last.scores) - 1)
    slopes = np.hypot(*np.gradient(last.scores, spacing))
    found = point_modes(last.points, roll.modes, roll.sigma)
    box = getattr(learner.constraint, "limit", None)
    on_faces = float((np.abs(weights) > _EDGE * box).mean()) if box else 0.0
    return {
        "pieces of 200": float(found.modes),
        "high quality": found.high_quality,
        "median slope of f": float(np.median(slopes)),
        "first layer's norm": float(norms[0]),
        "last layer's": float(norms[-1]),
        "weights on the box's faces": on_faces,
    }


def draw(path: Path, found: dict[str, tuple], roll: SwissRoll) -> None:
    """A row each: the critic's surface with its points, norms by layer, weights."""
    with panels.opened(path, len(found), 3, 3.0) as drawn:
        panel: Axes
        for row, (label, (last, norms, weights)) in zip(
            drawn, found.items(), strict=True
        ):
            panel = row[0]
            portraits.surface(panel, last, EXTENT)
            panel.plot(*roll.modes.T, "-", color="0.5", linewidth=1)
            panel.set(title=label)
            row[1].semilogy(range(1, len(norms) + 1), norms, **panels.style(0))
            row[1].set(xlabel="layer, from the input on", ylabel="‖∂L/∂W‖")
            row[2].hist(weights, bins=80, color="0.3", density=True)
            row[2].set(xlabel="hidden weights", ylabel="density")
