"""Stacked MNIST, 1,000 modes, where the baseline fails: every method at equal steps.

On Metz et al.'s networks, with their 500,000 steps at the scale "paper"; and on an
SN-GAN whose discriminator has half of the generator's width, which learns within 1,000.
Each method has its paper's weights or this package's defaults; none is tuned here.
"""

from dataclasses import replace
from functools import partial

from logan_tf.studies import figures, published, tables
from logan_tf.studies.arms import at_wall_clock_of, of, vary
from logan_tf.studies.results import Results
from logan_tf.studies.study import (
    EMBEDDED,
    PAPER,
    SIZE,
    SMOKE,
    Arm,
    DrawFigure,
    MakeRows,
    Study,
)

_LEAST = (*SIZE[SMOKE], "StackedDigits.name = 'digits'")
_METZ_STEPS = {
    EMBEDDED: (4000,),
    PAPER: tuple(range(100_000, 500_001, 100_000)),
    SMOKE: (2, 4),
}
_METZ_SIZE = {
    # Of 500,000 steps of 128 a laptop takes 4,000 of 64; the rates make up for little.
    EMBEDDED: (
        "batch_size = 64",
        "generator_rate = 5e-4",
        "discriminator_rate = 1e-3",
        "sample_every = 0",
    ),
    PAPER: (),
    SMOKE: _LEAST,
}
_SNGAN_STEPS = {EMBEDDED: (1000,), PAPER: (1000, 2000, 3000), SMOKE: (2, 4)}
_SNGAN_SIZE = {
    EMBEDDED: (
        "width = 16",
        "discriminator_width = 8",
        "batch_size = 32",
        "generator_rate = 4e-4",
        "discriminator_rate = 4e-4",
        "sample_every = 0",
    ),
    PAPER: ("discriminator_width = 8",),
    SMOKE: _LEAST,
}
_METRICS = ("modes", "confident_modes", "reverse_kl", "fid")
_FINALS: dict[str, DrawFigure] = {"last": partial(figures.finals, metrics=_METRICS)}

_SIMULTANEOUS = "Experiment.schedule = @Simultaneous()"
_ALTERNATING = "Experiment.schedule = @Alternating()"
_UNROLLED = (
    _ALTERNATING,
    "Experiment.dynamics = @Unrolled()",
    "Unrolled.adam = True",
    "Unrolled.rate = %discriminator_rate",
    "Unrolled.beta_1 = %beta_1",
    "Unrolled.beta_2 = %beta_2",
)
# name → (label, statements): dynamics, alone and over LOGAN's natural step.
_DYNAMICS = {
    "consensus": ("consensus", (_SIMULTANEOUS, "Experiment.dynamics = @Consensus()")),
    "unrolled": ("unrolled, 5 steps of Adam", _UNROLLED),
    "symplectic": (
        "symplectic adjustment, aligned",
        (
            _SIMULTANEOUS,
            "Experiment.dynamics = @SymplecticGradientAdjustment()",
            "SymplecticGradientAdjustment.align = True",
        ),
    ),
    "nagarajan_kolter": (
        "Nagarajan–Kolter",
        (_SIMULTANEOUS, "Experiment.dynamics = @NagarajanKolter()"),
    ),
    "extragradient": (
        "extragradient",
        (_SIMULTANEOUS, "Experiment.dynamics = @Extragradient()"),
    ),
}
# The same, of other objectives, penalties and discriminators; {} is the network.
_OTHERS = {
    "r1": ("R1", ("Game.penalties = [@R1()]",)),
    "relativistic": (
        "relativistic, R1 + R2",
        (
            "Game.objective = @objectives.relativistic",
            "Game.penalties = [@R1(), @R2()]",
            "R1.weight = 1.0",
            "R2.weight = 1.0",
        ),
    ),
    "wgan_gp": (
        "WGAN-GP, 5 critic steps",
        (
            "Game.objective = @objectives.wasserstein",
            "Game.penalties = [@WganGp()]",
            "Alternating.discriminator_steps = 5",
        ),
    ),
    "packed": (
        "packing of two",
        (
            "Experiment.discriminator = @packed.Discriminator",
            "packed.Discriminator.network = @{}.Discriminator",
            "packed.Discriminator.pack = 2",
            "{}.Discriminator.channels = 6",
        ),
    ),
    "dragan": ("DRAGAN", ("Game.penalties = [@Dragan()]",)),
    # As many sums as the ring's: 50 of 5 would outweigh the network.
    "minibatch": (
        "minibatch discrimination, 8 × 3",
        (
            "Experiment.discriminator = @minibatch.Discriminator",
            "minibatch.Discriminator.network = @{}.Discriminator",
            "minibatch.Discriminator.kernels = 8",
            "minibatch.Discriminator.dims = 3",
        ),
    ),
}


class _Arms:
    """The ways to train one pair of networks.

    Args:
      recipe: at the embedded scale and at the paper's.
      network: its name in gin.
      bounds: of the latents' prior; None: it has none.
    """

    def __init__(
        self, recipe: str, network: str, bounds: tuple[float, float] | None
    ) -> None:
        base = Arm("gan", "", recipe, recipe)
        self._network = network
        self.gan = vary(base, "gan", "GAN, alternating", _ALTERNATING)
        together = vary(base, "gan_simultaneous", "GAN, simultaneous", _SIMULTANEOUS)
        self.simultaneous = together
        rule = (
            "Game.latent_rule = @LatentRule()",
            "LatentRule.optimizer = @LatentOptimizer()",
            f"LatentOptimizer.bounds = {bounds}",
        )
        # α/β is a third of the paper's, and there is no R_z: so small a D goes flat.
        natural = (
            "LatentOptimizer.step = @natural_gradient_step",
            "natural_gradient_step.step_size = 0.3",
            "natural_gradient_step.damping = 0.1",
        )
        gradient = (
            "LatentOptimizer.step = @gradient_step",
            "gradient_step.step_size = 1.0",
        )
        self._moved = vary(base, "ngd", "LOGAN (NGD)", *rule, *natural)
        self.ngd = vary(self._moved, "ngd", "LOGAN (NGD)", _ALTERNATING)
        self.gd = vary(base, "gd", "LOGAN (GD)", *rule, *gradient, _ALTERNATING)
        self.first_order = self.stopped(
            "first_order", "first order", "discriminator", "generator"
        )

    def stopped(self, name: str, label: str, *players: str) -> Arm:
        """NGD with Δz a constant to some players; it has no R_z to be stopped."""
        return vary(
            self.ngd,
            name,
            f"LOGAN (NGD), {label}",
            f"LatentRule.stop_gradient = {players!r}",
            "LatentRule.stop_regularizer = True",
        )

    def dynamics(self, name: str) -> Arm:
        """A method that changes the update, compared with the schedule's GAN."""
        label, params = _DYNAMICS[name]
        return self._beside(vary(replace(self.gan, params=()), name, label, *params))

    def over_logan(self) -> list[Arm]:
        """The dynamics over LOGAN's natural step, and this one's other schedule."""
        found = {"simultaneous": ("simultaneous", (_SIMULTANEOUS,)), **_DYNAMICS}
        return [
            self._beside(
                vary(self._moved, f"ngd_{name}", f"LOGAN (NGD), {label}", *params)
            )
            for name, (label, params) in found.items()
        ]

    def other(self, name: str) -> Arm:
        """Another objective, penalty or discriminator."""
        label, params = _OTHERS[name]
        filled = (each.replace("{}", self._network) for each in params)
        return vary(self.gan, name, label, *filled)

    def _beside(self, arm: Arm) -> Arm:
        together = _SIMULTANEOUS in arm.params
        return replace(arm, versus=self.simultaneous.name) if together else arm

    def all(self) -> tuple[Arm, ...]:
        """In the order of interest, for a study that is made in parts."""
        return (
            self.gan,
            self.simultaneous,
            self.ngd,
            self.gd,
            *map(self.dynamics, ("consensus", "unrolled")),
            *map(self.other, ("r1", "relativistic", "wgan_gp")),
            self.dynamics("symplectic"),
            self.other("packed"),
            self.first_order,
            *map(self.dynamics, ("nagarajan_kolter", "extragradient")),
            *map(self.other, ("dragan", "minibatch")),
            *self.over_logan(),
        )


def slopes(results: Results) -> list[tables.Row]:
    """What is left of the players' gradients at the end, a value a seed."""
    names = ("discriminator_gradient_norm", "generator_gradient_norm", "delta_z_norm")
    return [
        {"": arm.label} | {name: [run.ending(name) for run in runs] for name in names}
        for arm, runs in results.begun()
    ]


_SLOPES: dict[str, MakeRows] = {"Norms over the last fifth of the training:": slopes}
_METZ = _Arms("stacked_mnist_metz", "dcgan", None)
_SNGAN = _Arms("stacked_mnist_baseline", "sngan", (-1.0, 1.0))
_HOME = "stacked_mnist_sngan"

STUDIES = (
    Study(
        "stacked_mnist",
        "every method on stacked MNIST and Metz et al.'s networks, D of 585 parameters",
        _METZ.all(),
        _METZ_STEPS,
        size=_METZ_SIZE,
        figures=_FINALS,
        tables=_SLOPES,
        published=published.STACKED_MNIST,
        published_by="Lin et al. 2018, who quote some; measured on GPU",
    ),
    Study(
        _HOME,
        "every method on stacked MNIST, an SN-GAN with D of half of G's width",
        _SNGAN.all(),
        _SNGAN_STEPS,
        size=_SNGAN_SIZE,
        then=at_wall_clock_of("ngd", "gan", "first_order"),
        figures=_FINALS,
        tables=_SLOPES,
        published=published.STACKED_MNIST,
        published_by="Lin et al. 2018, who quote some; measured on GPU",
    ),
    Study(
        "stacked_mnist_second_order",
        "second-order terms on stacked MNIST, where the baseline fails",
        (
            *(of(_HOME, a) for a in (_SNGAN.gan, _SNGAN.ngd, _SNGAN.first_order)),
            _SNGAN.stopped("stop_d", "∂Δz/∂θ_D removed", "discriminator"),
            _SNGAN.stopped("stop_g", "∂Δz/∂θ_G removed", "generator"),
        ),
        _SNGAN_STEPS,
        size=_SNGAN_SIZE,
        seeds=4,
        figures=_FINALS,
        tables=_SLOPES,
    ),
)
"""The table of all methods, twice, and the terms that are LOGAN's claim."""
