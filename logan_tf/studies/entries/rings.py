"""Studies of points in the plane: which dynamics find all modes with a weak D."""

from functools import partial

from logan_tf.studies import figures
from logan_tf.studies.arms import vary
from logan_tf.studies.study import EMBEDDED, PAPER, SMOKE, Arm, Study

_STEPS = {EMBEDDED: (1000, 2000, 5000), PAPER: (2000, 10_000), SMOKE: (2, 4)}
_SIZE = {
    # The recipes' own, which takes a core half a minute a run.
    EMBEDDED: (),
    PAPER: (),
    SMOKE: (
        "batch_size = 4",
        "latent_dim = 4",
        "log_every = 1",
        "checkpoint_every = 2",
        "sample_every = 0",
        "mlp.Generator.hidden = (8,)",
        "mlp.Discriminator.hidden = (8,)",
    ),
}
_METRICS = ("modes", "high_quality", "reverse_kl")

_PLAIN = Arm("plain", "plain, simultaneous", "ring_baseline", "ring_baseline")
_LOGAN = Arm("logan", "LOGAN (NGD)", "ring_logan", "ring_logan")
_LOGAN_GD = Arm("logan_gd", "LOGAN (GD)", "ring_logan_gd", "ring_logan_gd")
_ALTERNATING = "Experiment.schedule = @Alternating()"
_FEW = 2  # iterations of conjugate gradients; each is part of the graph


def _of(name: str, *settings: str) -> tuple[str, ...]:
    """Dynamics and their settings."""
    return (
        f"Experiment.dynamics = @{name}()",
        *(f"{name}.{setting}" for setting in settings),
    )


# name → (label, statements). Rates of rivals and leaders are the optimizers'.
_DYNAMICS = {
    "alternating": ("plain, alternating", (_ALTERNATING,)),
    "negative_momentum": (
        "Adam's β₁ −0.5, alternating",
        (
            _ALTERNATING,
            *(
                f"{player}/keras.optimizers.Adam.beta_1 = -0.5"
                for player in ("generator", "discriminator")
            ),
        ),
    ),
    "symplectic": (
        "symplectic adjustment, aligned",
        _of("SymplecticGradientAdjustment", "align = True"),
    ),
    "consensus": ("consensus", _of("Consensus")),
    "nagarajan_kolter": ("Nagarajan–Kolter", _of("NagarajanKolter")),
    "unrolled": ("unrolled, 5 steps of Adam", _of("Unrolled", "adam = True")),
    "extragradient": ("extragradient", _of("Extragradient")),
    "past": ("extrapolation from the past", _of("ExtrapolationFromThePast")),
    "optimistic": ("optimistic", _of("Optimistic")),
    "competitive": (
        "competitive descent",
        _of("CompetitiveGradientDescent", f"iterations = {_FEW}"),
    ),
    "ridge": ("follow the ridge", _of("FollowTheRidge", f"iterations = {_FEW}")),
    "gradient_norm": ("joint gradient norm", _of("JointGradientNorm")),
}


def _both_ways() -> tuple[Arm, ...]:
    """All dynamics alone, and all of them over LOGAN's natural step."""
    alone, over = [_PLAIN], [_LOGAN, _LOGAN_GD]
    for name, (label, params) in _DYNAMICS.items():
        alone.append(vary(_PLAIN, name, label, *params))
        over.append(vary(_LOGAN, f"logan_{name}", f"LOGAN, {label}", *params))
    return (*alone, *over)


def _study(name: str, title: str, *params: str) -> Study:
    arms = tuple(vary(arm, arm.name, arm.label, *params) for arm in _both_ways())
    return Study(
        name,
        title,
        arms,
        _STEPS,
        size=_SIZE,
        figures={"last": partial(figures.finals, metrics=_METRICS)},
    )


STUDIES = (
    _study("ring", "every dynamics, alone and with LOGAN, on eight modes, D weak"),
    _study("grid", "the same on 25 modes", "Experiment.dataset = @Grid()"),
)
"""Two mixtures of Gaussians."""
