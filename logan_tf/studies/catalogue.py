"""The studies. What each costs and how to read it: docs/studies.md."""

from functools import partial

from logan_tf.studies import figures, hyperparameters, published
from logan_tf.studies.arms import (
    BASELINE,
    BIGGAN,
    BIGGAN_GD,
    BIGGAN_LOGAN,
    BIGGAN_ORIGINAL,
    CSGAN,
    LOGAN,
    NO_WEIGHT,
    STOPPED,
    TWO_STEPS,
    WIDE,
    ablation,
    at_learning_rate,
    at_wall_clock_of,
    biggan_ablation,
    gradient_step,
    natural_penalty,
    of,
    penalty,
    random_direction,
    step_size,
    vary,
    without_second_order,
)
from logan_tf.studies.study import EMBEDDED, PAPER, SMOKE, Arm, Asked, Study


def _steps(embedded: tuple[int, ...], paper: tuple[int, ...]) -> dict:
    return {EMBEDDED: embedded, PAPER: paper, SMOKE: (2, 4)}


_SHORT = _steps((1000, 2000, 4000), (50_000, 100_000, 200_000))
_SEARCH = _steps((1000,), (50_000,))
_LONG = _steps(tuple(range(2000, 10_001, 2000)), tuple(range(50_000, 600_001, 50_000)))
_LONG_BIG = _LONG | {EMBEDDED: tuple(range(1000, 4001, 1000))}
_BIG = _steps((1000, 2000), (100_000, 200_000, 300_000))

_ALL = ("modes", "confident_modes", "fid", "is")
_CURVES = partial(figures.curves, metrics=_ALL)
_OF_CLASSES = ("fid", "is", "recall", "class_agreement")
_CLASS_CURVES = partial(figures.curves, metrics=_OF_CLASSES)
_TIMES = partial(figures.curves, metrics=("modes", "fid"), wall_clock=True)
_FINALS = partial(figures.finals, metrics=_ALL)
_ASKED = partial(figures.latent_steps, metrics=("fid", "is", "modes", "reverse_kl"))


def _traces(*names: str) -> partial:
    return partial(figures.traces, names=names)


_SHARES = _traces("discriminator_second_order_share", "generator_second_order_share")
_STEP = _traces("delta_z_norm", "overshoot_fraction", "clipped_fraction")

_TRUNCATED = tuple(Asked(truncation=s) for s in (1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.02))

_DIGITS = Arm("logan", "LOGAN (NGD)", "digits_logan")
_TABLE_2 = tuple(of("table2", arm) for arm in (LOGAN, CSGAN, BASELINE))
_LOGAN, _CSGAN, _BASELINE = _TABLE_2
_TABLE_1 = tuple(of("table1", arm) for arm in (BIGGAN, BIGGAN_GD, BIGGAN_LOGAN))

_LIST = (
    Study(
        "table1",
        "BigGAN-deep with classes: as published, baseline, gradient and natural step",
        (BIGGAN, BIGGAN_ORIGINAL, BIGGAN_GD, BIGGAN_LOGAN),
        _BIG,
        then=at_wall_clock_of("logan", "baseline"),
        figures={
            "curves": _CLASS_CURVES,
            "last": partial(figures.finals, metrics=_OF_CLASSES),
        },
        published=published.TABLE_1,
    ),
    Study(
        "table2",
        "SN-GAN, CS-GAN and LOGAN, at equal steps and in equal time",
        (BASELINE, CSGAN, LOGAN),
        _SHORT,
        seeds=5,
        then=at_wall_clock_of("logan", "baseline", "csgan"),
        figures={"curves": _TIMES, "last": _FINALS},
        published=published.TABLE_2,
    ),
    Study(
        "table2_digits",
        "the same on plain digits, ten modes",
        (
            vary(_DIGITS, "baseline", BASELINE.label, "Game.latent_optimizer = None"),
            gradient_step(_DIGITS),
            _DIGITS,
        ),
        _SHORT,
        seeds=5,
        then=at_wall_clock_of("logan", "baseline", "csgan"),
        figures={
            "curves": partial(
                figures.curves, metrics=("fid", "recall"), wall_clock=True
            ),
            "last": partial(figures.finals, metrics=("fid", "is", "recall")),
        },
        published=published.TABLE_2,
    ),
    Study(
        "controls",
        "what else could make LOGAN's numbers",
        (
            _LOGAN,
            _BASELINE,
            random_direction(),
            natural_penalty(),
            penalty(0.03),
            penalty(0.9),
            TWO_STEPS,
            *(
                arm
                for rate in (4e-4, 8e-4)
                for arm in at_learning_rate(rate, BASELINE, LOGAN)
            ),
        ),
        _SHORT,
        then=at_wall_clock_of("logan", "baseline"),
        figures={"last": _FINALS},
    ),
    Study(
        "table3",
        "what a classifier learns from the samples",
        _TABLE_1,
        _BIG,
        accuracy={
            EMBEDDED: "parts/accuracy_digits.gin",
            PAPER: "parts/accuracy_imagenet.gin",
        },
        published=published.TABLE_3,
    ),
    Study(
        "figure1",
        "samples of baseline and LOGAN at equal IS and at equal FID",
        _TABLE_1,
        _BIG,
        seeds=1,
        asked=_TRUNCATED,
        pictures=_TRUNCATED,
        figures={"figure1": figures.matched_samples},
    ),
    Study(
        "figure3b",
        "truncation: FID against IS while the latents shrink",
        _TABLE_1,
        _BIG,
        asked=_TRUNCATED,
        figures={"figure3b": figures.truncation_curves},
    ),
    Study(
        "figure5a",
        "what Δz changes in the latents' space and in the discriminator's",
        (_LOGAN,),
        _SHORT,
        figures={
            "figure5a": figures.changes,
            "not_normalized": _traces("delta_z_norm", "score_gain"),
        },
    ),
    Study(
        "figure5b",
        "ablations: Δz held constant for either player, or for both",
        (
            _LOGAN,
            ablation("stop_d", "∂Δz/∂θ_D removed", "discriminator"),
            ablation("stop_g", "∂Δz/∂θ_G removed", "generator"),
            STOPPED,
        ),
        _SHORT,
        figures={"figure5b": _CURVES, "second_order_share": _SHARES},
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
        _BIG,
        figures={"figure5b": _CLASS_CURVES, "second_order_share": _SHARES},
    ),
    Study(
        "second_order",
        "from where on ∂Δz/∂θ matters: size, step, regularizer and rates",
        (
            _LOGAN,
            of("figure5b", STOPPED),
            WIDE,
            without_second_order(WIDE),
            of("appendixA", step_size(3.0)),
            without_second_order(step_size(3.0)),
            of("regularisers", NO_WEIGHT),
            without_second_order(NO_WEIGHT),
            *(
                arm
                for rate in (4e-4, 8e-4)
                for with_it in at_learning_rate(rate, LOGAN)
                for arm in (of("controls", with_it), without_second_order(with_it))
            ),
        ),
        _SHORT,
        figures={"curves": _CURVES, "last": _FINALS, "second_order_share": _SHARES},
    ),
    Study(
        "figure6",
        "how much faster the discriminator moves than the generator",
        (_BASELINE, _CSGAN, _LOGAN),
        _SHORT,
        figures={"figure6": figures.update_speed},
    ),
    Study(
        "figure7",
        "latent steps at evaluation",
        (_LOGAN,),
        _SHORT,
        asked=tuple(Asked(latent_steps=k) for k in (0, 1, 5, 10, 20, 30)),
        figures={"figure7": _ASKED},
    ),
    Study(
        "figure8",
        "samples before and after latent steps, and the difference",
        (_LOGAN,),
        _SHORT,
        seeds=1,
        pictures=(Asked(0), Asked(10)),
        figures={"figure8": figures.before_and_after},
    ),
    Study(
        "appendixA",
        "latent steps in training: how many, how long, overshoot, error of eq. 26",
        (
            _LOGAN,
            *(
                vary(
                    LOGAN, f"steps{n}", f"{n} steps", f"LatentOptimizer.num_steps = {n}"
                )
                for n in (2, 3)
            ),
            *(step_size(a) for a in (0.1, 0.3, 3.0, 9.0)),
        ),
        _SHORT,
        local_approximation=True,
        figures={"curves": _CURVES, "steps": _STEP},
    ),
    Study(
        "regularisers",
        "the regularizer of ‖Δz‖² and the portion c, removed one at a time",
        (
            _LOGAN,
            NO_WEIGHT,
            vary(LOGAN, "whole", "c 100 %", "LatentOptimizer.fraction = 1.0"),
            vary(
                LOGAN,
                "neither",
                "w_r 0, c 100 %",
                "Game.regularizer_weight = 0.0",
                "LatentOptimizer.fraction = 1.0",
            ),
        ),
        _SHORT,
        figures={"curves": _CURVES, "steps": _STEP},
    ),
    *(
        Study(
            name,
            f"random settings of α, β, w_r and c, and a line a parameter: {of_what}",
            hyperparameters.settings(base, grid, 48),
            _SEARCH,
            seeds=1,
            then=partial(hyperparameters.lines, base=base, grid=grid),
            figures={"search": partial(figures.search, grid=grid)},
            published=rows,
        )
        for name, of_what, base, grid, rows in (
            ("tables45", "SN-GAN", LOGAN, hyperparameters.TABLE_4, published.TABLE_4),
            (
                "table5",
                "BigGAN-deep",
                BIGGAN_LOGAN,
                hyperparameters.TABLE_5,
                published.TABLE_5,
            ),
        )
    ),
    Study(
        "long",
        "far past the best point: when does each collapse?",
        (BASELINE, CSGAN, LOGAN, STOPPED),
        _LONG,
        figures={"curves": _CURVES},
        published=published.COLLAPSE,
    ),
    Study(
        "long_biggan",
        "the same of BigGAN-deep, of which the paper says it",
        (BIGGAN, BIGGAN_LOGAN),
        _LONG_BIG,
        figures={"curves": _CLASS_CURVES},
        published=published.COLLAPSE,
    ),
)
STUDIES = {study.name: study for study in _LIST}
