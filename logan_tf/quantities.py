"""Every number that an evaluation or a training gives: name, label, unit, direction.

The one list of them. The monitor groups by it, tables and figures choose and label by
it; a number that is not in it has its own name for a label and a chart of its own.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

LOWER: Literal["lower"] = "lower"
HIGHER: Literal["higher"] = "higher"
_OF = {"discriminator": "D", "generator": "G"}


@dataclasses.dataclass(frozen=True)
class Quantity:
    """What is known of a number.

    Attributes:
      name: in files. In those of evaluations the classifier's may follow: fid_digits.
      label: in words.
      unit: of the values; empty: none, or a share.
      better: which direction is; None: neither.
      group: what it stands with, on TensorBoard and in tables.
      chart: title of the chart that it is drawn in; empty: one of its own.
      note: what it is, below the chart.
      compared: whether tables of studies have a column for it.
    """

    name: str
    label: str
    unit: str = ""
    better: Literal["lower", "higher"] | None = None
    group: str = "run"
    chart: str = ""
    note: str = ""
    compared: bool = False

    @property
    def axis(self) -> str:
        """For an axis: the label, and the unit if there is one."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def best(self, values: Sequence[float]) -> int:
        """The place of the best value, of equal ones the first.

        Raises:
          ValueError: neither direction is better.
        """
        if self.better is None:
            raise ValueError(f"neither direction of {self.name} is better")
        chosen = min if self.better == LOWER else max
        return values.index(chosen(values))


def _of_players(name: str, label: str, **known: str | bool) -> tuple[Quantity, ...]:
    return tuple(
        Quantity(f"{player}_{name}", f"{label} of {letter}", **known)  # type: ignore[arg-type]
        for player, letter in _OF.items()
    )


EVALUATED = (
    Quantity("modes", "modes", "", HIGHER, "modes", compared=True),
    Quantity("confident_modes", "confident modes", "", HIGHER, "modes", compared=True),
    Quantity("confident_share", "share of confident samples", "", HIGHER, "modes"),
    Quantity(
        "reverse_kl", "reverse KL to uniform", "nats", LOWER, "modes", compared=True
    ),
    Quantity("high_quality", "share of high quality", "", HIGHER, "points"),
    Quantity("fid", "FID", "", LOWER, "images", compared=True),
    Quantity("is", "inception score", "", HIGHER, "images", compared=True),
    Quantity("is_splits", "inception score of ten splits", "", HIGHER, "images"),
    Quantity("kid", "KID", "", LOWER, "images", compared=True),
    Quantity("precision", "precision", "", HIGHER, "images"),
    Quantity("recall", "recall", "", HIGHER, "images", compared=True),
    Quantity("density", "density", "", HIGHER, "images"),
    Quantity("coverage", "coverage", "", HIGHER, "images"),
    Quantity("fid_per_class", "FID within classes", "", LOWER, "images"),
    Quantity(
        "class_agreement",
        "agreement with the class",
        "",
        HIGHER,
        "images",
        compared=True,
    ),
    Quantity("top_1", "top-1 accuracy", "", HIGHER, "accuracy"),
    Quantity("top_5", "top-5 accuracy", "", HIGHER, "accuracy"),
    Quantity("nearest_distance", "distance of the nearest image", "", None, "images"),
)
"""What evaluations say of samples."""

TRAINED = (
    *_of_players(
        "loss",
        "loss",
        group="losses",
        chart="Losses",
        note="as they are minimized, with the regularizer",
    ),
    *(
        Quantity(
            f"{which}_score",
            f"score of {which} examples",
            group="scores",
            chart="Scores",
            note="mean output of the discriminator",
        )
        for which in ("real", "fake")
    ),
    Quantity(
        "delta_z_norm",
        "mean ‖Δz‖",
        group="latent_step",
        chart="Latent step ‖Δz‖",
        note="mean over the samples",
        compared=True,
    ),
    Quantity(
        "score_gain",
        "mean f(z') − f(z)",
        group="latent_step",
        chart="Score gain",
        note="mean of f(z') - f(z); negative: the step overshoots",
        compared=True,
    ),
    Quantity(
        "clipped_fraction",
        "share of coordinates clipped",
        group="latent_step",
        chart="Clipped, overshot",
        note="share of the coordinates that sit on the bounds",
        compared=True,
    ),
    Quantity(
        "overshoot_fraction",
        "share of samples that overshoot",
        group="latent_step",
        chart="Clipped, overshot",
        note="of the samples whose slope at z' points against Δz",
        compared=True,
    ),
    *_of_players(
        "second_order_share",
        "‖second-order‖ / ‖gradient‖",
        group="latent_step",
        chart="Second-order share",
        note="‖second-order part‖ / ‖gradient‖",
        compared=True,
    ),
    *_of_players(
        "gradient_norm", "‖gradient‖", group="updates", chart="Gradient norms"
    ),
    *_of_players(
        "update_norm",
        "‖Δθ‖",
        group="updates",
        chart="Update norms",
        note="‖Δθ‖ of each update",
    ),
    *_of_players(
        "sigma",
        "largest singular value",
        group="updates",
        chart="Singular value",
        note="the largest of the kernels, before normalization",
    ),
    Quantity(
        "regularizer",
        "regularizer",
        group="losses",
        chart="Regularizer",
        note="w_r ‖Δz‖², part of both losses",
    ),
    Quantity(
        "images_per_second",
        "speed",
        "images/s",
        HIGHER,
        chart="Speed",
        note="images a second",
    ),
)
"""What the lines of `metrics.jsonl` say of a training, in the order of its charts."""

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
