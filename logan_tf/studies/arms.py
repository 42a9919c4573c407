"""Ways to train, and what the paper or a reviewer would change about them."""

from collections.abc import Sequence
from dataclasses import replace

from logan_tf.studies.results import ArmRun, Results
from logan_tf.studies.study import Arm, Study, Then

BASELINE = Arm(
    "baseline", "SN-GAN (baseline)", "stacked_digits_baseline", "sngan_cifar10"
)
CSGAN = Arm("csgan", "CS-GAN (GD)", "stacked_digits_csgan", "csgan_cifar10")
LOGAN = Arm("logan", "LOGAN (NGD)", "stacked_digits_logan", "logan_cifar10")

BIGGAN_ORIGINAL = Arm(
    "original",
    "BigGAN-deep as published",
    "biggan_original_small",
    "biggan_deep_original",
)
BIGGAN = Arm("baseline", "BigGAN-deep", "biggan_baseline_small", "biggan_deep")
BIGGAN_GD = Arm("gd", "LOGAN (GD)", "biggan_gd_small", "biggan_logan_gd")
BIGGAN_LOGAN = Arm("logan", "LOGAN (NGD)", "biggan_logan_small", "biggan_logan")


def of(study: str, arm: Arm) -> Arm:
    """An arm whose runs are another study's."""
    return replace(arm, home=study)


def vary(arm: Arm, name: str, label: str, *params: str) -> Arm:
    """An arm with something changed."""
    return replace(arm, name=name, label=label, params=arm.params + params)


def ablation(name: str, label: str, *players: str) -> Arm:
    """LOGAN with Δz a constant in the adversarial term of some players' losses."""
    return vary(LOGAN, name, label, f"LatentRule.stop_gradient = {players!r}")


def biggan_ablation(name: str, label: str, player: str) -> Arm:
    """The same of BigGAN-deep, by the recipe of a player, or of "both"."""
    small, full = (
        f"ablations/biggan_logan{size}_stop_{player}" for size in ("_small", "")
    )
    return Arm(name, label, small, full)


def without_second_order(arm: Arm) -> Arm:
    """Another way of LOGAN's with Δz a constant for both players."""
    label = f"{arm.label}, ∂Δz/∂θ removed"
    stopped = vary(arm, f"{arm.name}_stopped", label, *STOPPED.params)
    return replace(stopped, versus=arm.name)


def first_order(arm: Arm) -> Arm:
    """Another way of LOGAN's without any second-order term: cheaper."""
    constant = (*STOPPED.params, "LatentRule.stop_regularizer = True")
    cheaper = vary(arm, "first_order", "LOGAN, first order", *constant)
    return replace(cheaper, home=None)


def step_size(alpha: float) -> Arm:
    """LOGAN with another α."""
    statement = f"natural_gradient_step.step_size = {alpha}"
    return vary(LOGAN, f"alpha{alpha}", f"α {alpha}", statement)


def gradient_step(arm: Arm) -> Arm:
    """CS-GAN's step, as in gin/parts/latent_step_gd.gin, in a recipe with NGD."""
    return vary(
        arm,
        CSGAN.name,
        CSGAN.label,
        "LatentOptimizer.step = @gradient_step",
        "LatentOptimizer.num_steps = 3",
        "LatentOptimizer.fraction = 1.0",
        "gradient_step.step_size = 0.01",
        "LatentRule.regularizer_weight = 3.0",
    )


STOPPED = ablation("stop_both", "both removed", "discriminator", "generator")
NO_WEIGHT = vary(LOGAN, "no_weight", "w_r 0", "LatentRule.regularizer_weight = 0.0")
TWO_STEPS = vary(
    BASELINE,
    "two_steps",
    "baseline, two discriminator steps",
    "Experiment.schedule = @Alternating()",
    "Alternating.discriminator_steps = 2",
)
WIDE = replace(vary(LOGAN, "width16", "width 16", "width = 16"), paper=None)


def random_direction() -> Arm:
    """Δz as long as LOGAN's, but anywhere."""
    return vary(
        LOGAN,
        "random",
        "Δz of equal norm, random direction",
        *_optimizer("RandomDirection", "natural_gradient_step"),
    )


def natural_penalty() -> Arm:
    """What LOGAN's step implies for the discriminator's loss to first order."""
    return vary(
        LOGAN,
        "penalty",
        "penalty E[α‖g‖²/(β+‖g‖²)], no move",
        *_optimizer("LatentPenalty", "root_of_natural_gradient_step"),
        *_DISCRIMINATOR_ALONE,
        "root_of_natural_gradient_step.step_size = 0.9",
        "root_of_natural_gradient_step.damping = 0.1",
        "LatentRule.regularizer_weight = 1.0",
    )


def penalty(weight: float) -> Arm:
    """What a gradient step of size `weight` implies."""
    return vary(
        LOGAN,
        f"penalty{weight:g}",
        f"penalty {weight:g} E‖g‖², no move",
        *_optimizer("LatentPenalty", "gradient_step"),
        *_DISCRIMINATOR_ALONE,
        "gradient_step.step_size = 1.0",
        f"LatentRule.regularizer_weight = {weight}",
    )


def at_learning_rate(rate: float, *arms: Arm) -> list[Arm]:
    """Arms with another learning rate of both players, compared with the first."""
    statements = [
        f"{player}/keras.optimizers.Adam.learning_rate = {rate}"
        for player in ("generator", "discriminator")
    ]
    found = [
        vary(
            arm,
            f"{arm.name}_lr{rate:g}",
            f"{arm.label}, learning rate {rate:g}",
            *statements,
        )
        for arm in arms
    ]
    return [found[0], *(replace(arm, versus=found[0].name) for arm in found[1:])]


def at_wall_clock_of(slow: str, *fast: str) -> Then:
    """Gives arms the time that another takes, by the median step times over seeds.

    The steps of runs that have begun are kept: another measurement changes none.
    """

    def then(results: Results, study: Study) -> Sequence[Arm]:
        measured = [name for name in fast if results.of(name) and results.of(slow)]
        return [_in_the_time_of(slow, name, results) for name in measured]

    return then


def _in_the_time_of(slow: str, name: str, results: Results) -> Arm:
    quick, other = results.of(name)[0].arm, results.of(slow)[0].arm
    steps = results.study.steps_of(quick, results.scale)
    arm = replace(
        quick,
        name=f"{name}_{slow}_time",
        label=f"{quick.label}, in the time of {other.label}",
        versus=slow,
    )
    folder = results.of(name)[0].path.parent
    begun = results.known(ArmRun.of(arm, 0, folder)).told_steps
    # Multiples of the first, so that all are evaluated during the training.
    multiples = [step // steps[0] for step in steps]
    if begun:
        first = begun // multiples[-1]
    else:
        ratio = results.images_per_second(name) / results.images_per_second(slow)
        first = max(1, round(round(ratio, 2) * steps[0]))
    return replace(arm, steps=tuple(first * multiple for multiple in multiples))


_DISCRIMINATOR_ALONE = (
    "LatentRule.stop_gradient = ('generator',)",
    "LatentRule.stop_regularizer = True",
)


def _optimizer(kind: str, step: str) -> tuple[str, ...]:
    """Another optimizer in place of LOGAN's; it is none to evaluate with."""
    return (
        f"LatentRule.optimizer = @{kind}()",
        f"{kind}.step = @{step}",
        f"{kind}.fraction = 0.8",
        f"{kind}.num_steps = 1",
        f"{kind}.bounds = (-1.0, 1.0)",
        "evaluation_latent_steps = 0",
    )
