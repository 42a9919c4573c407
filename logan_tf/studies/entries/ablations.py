"""Studies of the second-order terms: ∂Δz/∂θ held constant, or R_z's too."""

from dataclasses import replace

from logan_tf.studies import presets
from logan_tf.studies.arms import (
    BASELINE,
    BIGGAN,
    BIGGAN_LOGAN,
    LOGAN,
    NO_WEIGHT,
    STOPPED,
    WIDE,
    ablation,
    at_learning_rate,
    at_wall_clock_of,
    biggan_ablation,
    first_order,
    of,
    step_size,
    without_second_order,
)
from logan_tf.studies.study import Arm, DrawFigure, Study


def _first_order(
    name: str,
    logan: Arm,
    baseline: Arm,
    steps: dict[str, tuple[int, ...]],
    draw: DrawFigure,
) -> Study:
    return Study(
        name,
        "no second-order term at all, at equal steps and in equal time",
        (logan, first_order(logan), baseline),
        steps,
        then=at_wall_clock_of("logan", "first_order", "baseline"),
        figures={"curves": draw},
    )


STUDIES = (
    Study(
        "figure5b",
        "ablations: Δz held constant for either player, or for both",
        (
            of("table2", LOGAN),
            ablation("stop_d", "∂Δz/∂θ_D removed", "discriminator"),
            ablation("stop_g", "∂Δz/∂θ_G removed", "generator"),
            STOPPED,
        ),
        presets.SHORT,
        figures={"figure5b": presets.CURVES, "second_order_share": presets.SHARES},
    ),
    Study(
        "figure5b_biggan",
        "the same ablations of BigGAN-deep, as in the paper",
        (
            of("table1", BIGGAN_LOGAN),
            biggan_ablation("stop_d", "∂Δz/∂θ_D removed", "discriminator"),
            biggan_ablation("stop_g", "∂Δz/∂θ_G removed", "generator"),
            biggan_ablation("stop_both", "both removed", "both"),
        ),
        presets.BIG,
        figures={
            "figure5b": presets.CLASS_CURVES,
            "second_order_share": presets.SHARES,
        },
    ),
    Study(
        "second_order",
        "from where on ∂Δz/∂θ matters: size, step, regularizer and rates",
        (
            of("table2", LOGAN),
            of("figure5b", STOPPED),
            WIDE,
            without_second_order(WIDE),
            of("appendixA", step_size(3.0)),
            without_second_order(step_size(3.0)),
            of("regularisers", NO_WEIGHT),
            # Without R_z nothing of second order is left: the same runs, whose loss
            # has R_z as a constant.
            replace(
                of("first_order", first_order(LOGAN)),
                label=without_second_order(NO_WEIGHT).label,
                versus=NO_WEIGHT.name,
            ),
            *(
                arm
                for rate in (4e-4, 8e-4)
                for with_it in at_learning_rate(rate, LOGAN)
                for arm in (of("controls", with_it), without_second_order(with_it))
            ),
        ),
        presets.SHORT,
        # Curves of twelve arms cannot be told apart.
        figures={"last": presets.FINALS},
    ),
    _first_order(
        "first_order",
        of("table2", LOGAN),
        of("table2", BASELINE),
        presets.SHORT,
        presets.TIMES,
    ),
    _first_order(
        "first_order_biggan",
        of("table1", BIGGAN_LOGAN),
        of("table1", BIGGAN),
        presets.BIG,
        presets.DIVERSITY,
    ),
)
"""Figure 5b and what it leaves open."""
