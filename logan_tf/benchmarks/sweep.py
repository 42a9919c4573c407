"""Cost against a setting of the recipe: a table, and a picture in log-log axes."""

import ast
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from logan_tf import atomic_file
from logan_tf.errors import ConfigurationError

VARIANTS = ("baseline", "ngd")
REPLICAS = "replicas"


class Axis(NamedTuple):
    """A macro of the recipe, such as batch_size, or the replicas; and its values."""

    macro: str
    values: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Reads "batch_size = 16, 32, 64".

        Raises:
          ConfigurationError: for anything but a name and positive integers.
        """
        name, equals, listed = text.partition("=")
        try:
            values = ast.literal_eval(f"({listed.strip()},)") if equals else ()
        except (SyntaxError, ValueError):
            values = ()
        whole = all(type(value) is int and value > 0 for value in values)
        if not name.strip().isidentifier() or not values or not whole:
            raise ConfigurationError(
                f"--sweep={text!r} is no macro with positive integers: try "
                "--sweep='batch_size = 16, 32, 64'"
            )
        return cls(name.strip(), values)

    def flag(self, value: int) -> str:
        """What makes bin/benchmark measure at one of the values."""
        if self.macro == REPLICAS:
            return f"--virtual_devices={value}"
        return f"--gin_param={self.macro} = {value}"


def row(axis: Axis, value: int, steps: dict[str, Any]) -> dict[str, Any]:
    """A row of the table from the `steps` that were measured at one value."""
    return {
        "setting": axis.macro,
        "value": value,
        **{f"{name} ms": 1e3 * steps[name]["seconds"]["median"] for name in VARIANTS},
        "ratio": steps["ngd"]["seconds"]["median"]
        / steps["baseline"]["seconds"]["median"],
        "ngd images/s": steps["ngd"]["images_per_second"],
    }


def slope(rows: Sequence[dict[str, Any]], name: str) -> float:
    """The exponent of the cost: the slope of a least-squares line in log-log axes.

    Args:
      rows: of one setting, two values or more.
      name: of a variant.
    """
    xs = [math.log(row["value"]) for row in rows]
    ys = [math.log(row[f"{name} ms"]) for row in rows]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return above / sum((a - x) ** 2 for a in xs)


def plot(path: Path, rows: Sequence[dict[str, Any]], recipe: str) -> None:
    """Draws a panel a setting: milliseconds a step against its values."""
    import matplotlib.figure
    from matplotlib.ticker import LogLocator, ScalarFormatter

    settings = list(dict.fromkeys(row["setting"] for row in rows))
    figure = matplotlib.figure.Figure(figsize=(4 * len(settings), 3.4))
    axes = figure.subplots(1, len(settings), squeeze=False, sharey=True)[0]
    for panel, setting in zip(axes, settings, strict=True):
        of_setting = [row for row in rows if row["setting"] == setting]
        values = [row["value"] for row in of_setting]
        for name in VARIANTS:
            exponent = slope(of_setting, name) if len(values) > 1 else math.nan
            panel.loglog(
                values,
                [row[f"{name} ms"] for row in of_setting],
                marker="o",
                label=f"{name}, exponent {exponent:.2f}",
            )
        panel.set_xticks(values, [str(value) for value in values])
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(ScalarFormatter())
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.set_xlabel(setting)
        panel.legend(fontsize="small", loc="upper left")
    figure.suptitle(recipe)
    figure.supylabel("ms a step", fontsize="medium")
    figure.tight_layout()
    with atomic_file.replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
