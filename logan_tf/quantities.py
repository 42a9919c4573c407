"""Every number that an evaluation or a training gives: name, label, unit, direction.

The one list of them. The monitor groups by it, tables and figures choose and label by
it; a number that is not in it has its own name for a label and a chart of its own.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

LOWER: Literal["lower"] = "lower"
HIGHER: Literal["higher"] = "higher"


@dataclasses.dataclass(frozen=True)
class Quantity:
    """What is known of a number.

    Attributes:
      name: in files. In those of evaluations the classifier's may follow: fid_digits.
      label: in words.
      group: what it stands with, on TensorBoard and in tables.
      chart: title of the chart that it is drawn in; empty: one of its own.
      better: which direction is; None: neither.
      compared: whether tables of studies have a column for it.
      unit: of the values; empty: none, or a share.
    """

    name: str
    label: str
    group: str = "run"
    chart: str = ""
    better: Literal["lower", "higher"] | None = None
    compared: bool = False
    unit: str = ""

    @property
    def axis(self) -> str:
        """For an axis: the label, and the unit if there is one."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def description(self) -> str:
        """A sentence for who sees the number alone."""
        text = self.axis[0].upper() + self.axis[1:]
        if self.chart in CHARTS:
            text += f". {self.chart}: {CHARTS[self.chart]}"
        return f"{text}; {self.better} is better" if self.better else text

    def best(self, values: Sequence[float]) -> int:
        """The place of the best value, of equal ones the first.

        Raises:
          ValueError: neither direction is better.
        """
        if self.better is None:
            raise ValueError(f"neither direction of {self.name} is better")
        chosen = min if self.better == LOWER else max
        return values.index(chosen(values))


def _of_players(
    name: str, label: str, group: str, chart: str, compared: bool = False
) -> tuple[Quantity, Quantity]:
    return (
        Quantity(
            f"discriminator_{name}", f"{label} of D", group, chart, None, compared
        ),
        Quantity(f"generator_{name}", f"{label} of G", group, chart, None, compared),
    )


EVALUATED = (
    Quantity("modes", "modes", "modes", "", HIGHER, True),
    Quantity("confident_modes", "confident modes", "modes", "", HIGHER, True),
    Quantity("confident_share", "share of confident samples", "modes", "", HIGHER),
    Quantity("reverse_kl", "reverse KL to uniform", "modes", "", LOWER, True, "nats"),
    Quantity("high_quality", "share of high quality", "points", "", HIGHER, True),
    Quantity("fid", "FID", "images", "", LOWER, True),
    Quantity("is", "inception score", "images", "", HIGHER, True),
    Quantity("is_splits", "inception score of ten splits", "images", "", HIGHER),
    Quantity("kid", "KID", "images", "", LOWER, True),
    Quantity("precision", "precision", "images", "", HIGHER),
    Quantity("recall", "recall", "images", "", HIGHER, True),
    Quantity("density", "density", "images", "", HIGHER),
    Quantity("coverage", "coverage", "images", "", HIGHER),
    Quantity("fid_per_class", "FID within classes", "images", "", LOWER),
    Quantity("class_agreement", "agreement with the class", "images", "", HIGHER, True),
    Quantity("top_1", "top-1 accuracy", "accuracy", "", HIGHER),
    Quantity("top_5", "top-5 accuracy", "accuracy", "", HIGHER),
    Quantity("nearest_distance", "distance of the nearest image", "images"),
)
"""What evaluations say of samples."""

_STEP, _UPDATES = "latent_step", "updates"
_BEYOND = "Clipped, overshot"
TRAINED = (
    *_of_players("loss", "loss", "losses", "Losses"),
    Quantity("real_score", "score of real examples", "scores", "Scores"),
    Quantity("fake_score", "score of fake examples", "scores", "Scores"),
    Quantity("instance_noise", "σ of the instance noise", "scores"),
    Quantity("delta_z_norm", "mean ‖Δz‖", _STEP, "Latent step ‖Δz‖", None, True),
    Quantity("score_gain", "mean f(z') − f(z)", _STEP, "Score gain", None, True),
    Quantity("absolute_score_gain", "mean |f(z') − f(z)|", _STEP, "Score gain"),
    Quantity(
        "clipped_fraction", "share of coordinates clipped", _STEP, _BEYOND, None, True
    ),
    Quantity(
        "overshoot_fraction",
        "share of samples that overshoot",
        _STEP,
        _BEYOND,
        None,
        True,
    ),
    *_of_players(
        "second_order_share",
        "‖second-order‖ / ‖gradient‖",
        _STEP,
        "Second-order share",
        True,
    ),
    *_of_players("gradient_norm", "‖gradient‖", _UPDATES, "Gradient norms"),
    *_of_players("update_norm", "‖Δθ‖", _UPDATES, "Update norms"),
    Quantity("discriminator_updates", "updates of D", _UPDATES),
    *_of_players("sigma", "largest singular value", _UPDATES, "Singular value"),
    Quantity("regularizer", "regularizer", "losses", "Regularizer"),
    Quantity("images_per_second", "speed", "run", "Speed", HIGHER, unit="images/s"),
)
"""What the lines of `metrics.jsonl` say of a training, in the order of its charts."""

CHARTS = {
    "Losses": "as they are minimized, with the regularizer",
    "Scores": "mean output of the discriminator",
    "Latent step ‖Δz‖": "mean over the samples",
    "Score gain": "mean of f(z') - f(z), negative: the step overshoots; mean of its "
    "absolute value",
    _BEYOND: "share of the coordinates that sit on the bounds; of the samples whose "
    "slope at z' points against Δz",
    "Second-order share": "‖second-order part‖ / ‖gradient‖",
    "Update norms": "‖Δθ‖ of each update",
    "Singular value": "the largest of the kernels, before normalization",
    "Regularizer": "w_r ‖Δz‖², part of both losses",
    "Speed": "images a second",
}
"""A chart's title → what stands below it."""

_KNOWN = {quantity.name: quantity for quantity in (*EVALUATED, *TRAINED)}


def find(name: str) -> Quantity:
    """What is known of a number, whichever classifier's name it ends with."""
    parts = name.split("_")
    for length in range(len(parts), 0, -1):
        found = _KNOWN.get("_".join(parts[:length]))
        if found is not None:
            return found
    return Quantity(name, name)


def compared(quantities: Sequence[Quantity]) -> list[str]:
    """The names of those that tables of studies have a column for."""
    return [quantity.name for quantity in quantities if quantity.compared]
