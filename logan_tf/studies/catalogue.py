"""The studies. What each costs and how to read it: docs/guides/studies.md."""

from dataclasses import replace
from functools import partial

from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies import (
    figures,
    hyperparameters,
    presets,
    published,
    spectra,
    traces,
)
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
    at_learning_rate,
    at_wall_clock_of,
    gradient_step,
    natural_penalty,
    of,
    penalty,
    random_direction,
    step_size,
    vary,
)
from logan_tf.studies.entries import ablations, rings, stacked_mnist
from logan_tf.studies.study import EMBEDDED, PAPER, Arm, Study

_DIGITS = Arm("logan", "LOGAN (NGD)", "digits_logan")
_TABLE_2 = tuple(of("table2", arm) for arm in (LOGAN, CSGAN, BASELINE))
_LOGAN, _CSGAN, _BASELINE = _TABLE_2
_TABLE_1 = tuple(of("table1", arm) for arm in (BIGGAN, BIGGAN_GD, BIGGAN_LOGAN))

_LIST = (
    Study(
        "table1",
        "BigGAN-deep with classes: as published, baseline, gradient and natural step",
        (BIGGAN, BIGGAN_ORIGINAL, BIGGAN_GD, BIGGAN_LOGAN),
        presets.BIG,
        then=at_wall_clock_of("logan", "baseline"),
        figures={
            "curves": presets.CLASS_CURVES,
            "last": partial(figures.finals, metrics=presets.OF_CLASSES),
        },
        published=published.TABLE_1,
    ),
    Study(
        "table2",
        "SN-GAN, CS-GAN and LOGAN, at equal steps and in equal time",
        (BASELINE, CSGAN, LOGAN),
        presets.SHORT,
        seeds=5,
        then=at_wall_clock_of("logan", "baseline", "csgan"),
        figures={"curves": presets.TIMES, "last": presets.FINALS},
        published=published.TABLE_2,
    ),
    Study(
        "table2_digits",
        "the same on plain digits, ten modes",
        (
            vary(_DIGITS, "baseline", BASELINE.label, "Game.latent_rule = None"),
            gradient_step(_DIGITS),
            _DIGITS,
        ),
        presets.SHORT,
        seeds=5,
        then=at_wall_clock_of("logan", "baseline", "csgan"),
        figures={
            "curves": presets.DIVERSITY,
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
        presets.SHORT,
        then=at_wall_clock_of("logan", "baseline"),
        figures={"last": presets.FINALS},
    ),
    Study(
        "table3",
        "what a classifier learns from the samples",
        _TABLE_1,
        presets.BIG,
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
        presets.BIG,
        seeds=1,
        asked=presets.TRUNCATED,
        pictures=presets.TRUNCATED,
        figures={"figure1": figures.matched_samples},
    ),
    Study(
        "figure3b",
        "truncation: FID against IS while the latents shrink",
        _TABLE_1,
        presets.BIG,
        asked=presets.TRUNCATED,
        figures={"figure3b": figures.truncation_curves},
    ),
    Study(
        "figure5a",
        "what Δz changes in the latents' space and in the discriminator's",
        (_LOGAN,),
        presets.SHORT,
        figures={
            "figure5a": traces.changes,
            "not_normalized": presets.traces(
                "delta_z_norm", "score_gain", "absolute_score_gain"
            ),
        },
        needs_folders=True,
    ),
    *ablations.STUDIES,
    Study(
        "figure6",
        "how much faster the discriminator moves than the generator",
        (_BASELINE, _CSGAN, _LOGAN),
        presets.SHORT,
        figures={"figure6": traces.update_speed},
    ),
    Study(
        "figure7",
        "latent steps at evaluation",
        (_LOGAN,),
        presets.SHORT,
        asked=tuple(SamplingSettings(latent_steps=k) for k in (0, 1, 5, 10, 20, 30)),
        figures={"figure7": presets.ASKED},
    ),
    Study(
        "figure8",
        "samples before and after latent steps, and the difference",
        (_LOGAN,),
        presets.SHORT,
        seeds=1,
        pictures=(SamplingSettings(), SamplingSettings(latent_steps=10)),
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
        presets.SHORT,
        local_approximation=True,
        figures={"curves": presets.CURVES, "steps": presets.STEP},
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
                "LatentRule.regularizer_weight = 0.0",
                "LatentOptimizer.fraction = 1.0",
            ),
        ),
        presets.SHORT,
        figures={"curves": presets.CURVES, "steps": presets.STEP},
    ),
    *(
        Study(
            name,
            f"random settings of α, β, w_r and c, and a line a parameter: {of_what}",
            hyperparameters.settings(base, grid, 48),
            presets.SEARCH,
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
        (BASELINE, CSGAN, LOGAN, replace(STOPPED, versus=LOGAN.name)),
        presets.LONG,
        figures={"curves": presets.CURVES},
        published=published.COLLAPSE,
    ),
    Study(
        "long_biggan",
        "BigGAN-deep far past its best point: when does each collapse?",
        (BIGGAN, BIGGAN_LOGAN),
        presets.LONG_BIG,
        figures={"curves": presets.CLASS_CURVES},
        published=published.COLLAPSE,
    ),
    *rings.STUDIES,
    *stacked_mnist.STUDIES,
    spectra.STUDY,
)
STUDIES = {study.name: study for study in _LIST}
