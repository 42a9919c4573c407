"""Which numbers a recipe may give: one table, checked before anything is built.

Constructors refuse what is out of range too, for whoever calls them from Python. But
what is called while a step is traced would do so in the middle of a training, Keras
takes any number, and a dry run builds no trainer.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from logan_tf.errors import ConfigurationError


class Range(NamedTuple):
    """Finite numbers from `low` to `high`; an open end is no part of it itself.

    Of a sequence or a dictionary it is the range of each number in it.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    also: tuple[float, ...] = ()
    """Numbers outside of it that are let pass."""
    words: str = ""
    """What a number in it is, where there is more to say."""

    def has(self, number: float) -> bool:
        """Whether a number lies in it."""
        if number in self.also:
            return True
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return math.isfinite(number) and above and below

    def __str__(self) -> str:
        """As a refusal has it: "must be 1 or more"."""
        return self.words or f"must be {self._numbers()}"

    def _numbers(self) -> str:
        also = "".join(f"{number:g} or " for number in self.also)
        if math.isfinite(self.high):
            left, right = "[("[self.open_low], "])"[self.open_high]
            if isinstance(self.high, int) and self.high > 1:
                return f"{also}{self.low} to {self.high}"
            return f"{also}in {left}{self.low:g}, {self.high:g}{right}"
        if not math.isfinite(self.low):
            return f"{also}finite"
        return also + (
            f"above {self.low:g}" if self.open_low else f"{self.low:g} or more"
        )


class Only(NamedTuple):
    """The values that have a meaning here, and what to do instead of another."""

    values: tuple[Any, ...]
    remedy: str


_ANY = Range()
_POSITIVE = Range(0.0, open_low=True)
_NOT_NEGATIVE = Range(0)
_ONE_OR_MORE = Range(1)
_SHARE = Range(0.0, 1.0)
_DECAY = Range(0.0, 1.0, open_high=True)
_SIGNED = Range(-1.0, 1.0, open_low=True, open_high=True)
_INSIDE = Range(0.0, 1.0, open_low=True, open_high=True)
_SEED = Range(0, 2**31 - 1)

_BY_NAME: dict[str, Range | Only] = {
    "accumulation": _ONE_OR_MORE,
    "attention_size": _ONE_OR_MORE,
    "attention_samples": _ONE_OR_MORE,
    "batch_size": _ONE_OR_MORE,
    "blocks_per_stage": _ONE_OR_MORE,
    "bounds": _ANY,
    "channels": _ONE_OR_MORE,
    "checkpoint_every": _ONE_OR_MORE,
    "damping": _POSITIVE,
    "dims": _ONE_OR_MORE,
    "embedding_dim": _ONE_OR_MORE,
    "epochs": _ONE_OR_MORE,
    "epsilon": _POSITIVE,
    "evaluate_every": _NOT_NEGATIVE,
    "fake_target": _ANY,
    "fake_weight": _NOT_NEGATIVE,
    "fraction": Range(0.0, 1.0, words="is a portion from 0 to 1"),
    "generator_target": _ANY,
    "halvings": _ONE_OR_MORE,
    "hidden": _ANY,  # The layers themselves refuse widths.
    "image_size": _ONE_OR_MORE,
    "inputs": _ONE_OR_MORE,
    "iterations": _ONE_OR_MORE,
    "kernel_size": _ONE_OR_MORE,
    "kept": Range(2),
    "kernels": _ONE_OR_MORE,
    "latent_dim": _ONE_OR_MORE,
    "latent_steps": _NOT_NEGATIVE,
    "limit": _NOT_NEGATIVE,
    "log_every": _ONE_OR_MORE,
    "nearest": _ONE_OR_MORE,
    "num_classes": _NOT_NEGATIVE,
    "num_modes": _NOT_NEGATIVE,
    "num_reference": Range(2),
    "num_samples": Range(2),
    "num_steps": _NOT_NEGATIVE,
    "outputs": _ONE_OR_MORE,
    "pack": _ONE_OR_MORE,
    "power": _NOT_NEGATIVE,
    "rate": _POSITIVE,
    "real_target": _ANY,
    "real_weight": _NOT_NEGATIVE,
    "references": Range(2),
    "rematerialize": _NOT_NEGATIVE,
    "sample_every": _NOT_NEGATIVE,
    "seed": _SEED,
    "shift": _NOT_NEGATIVE,
    "shuffle_buffer": _ONE_OR_MORE,
    "size": _ONE_OR_MORE,
    "slope": _SHARE,
    "spectral_epsilon": _NOT_NEGATIVE,
    "spectrum_every": _NOT_NEGATIVE,
    "standing_batches": _ONE_OR_MORE,
    "start_step": _NOT_NEGATIVE,
    "step_size": _NOT_NEGATIVE,
    "steps": _ONE_OR_MORE,
    "tolerance": _NOT_NEGATIVE,
    "total_steps": _ONE_OR_MORE,
    "variance": _NOT_NEGATIVE,
    "weight": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "width": _ONE_OR_MORE,
}
"""Of the same name in all our classes, where `_OWN` has no other."""

_OWN: dict[str, Range | Only] = {
    "Adaptive.most": _ONE_OR_MORE,
    "Adaptive.threshold": _ANY,
    "AdaptiveCompetitiveGradientDescent.beta": _INSIDE,
    "Alternating.discriminator_steps": _ONE_OR_MORE,
    "ClassifierInput.crop_area": Range(0.0, 1.0, open_low=True),
    "ClassifierInput.test_crop": Range(0.0, 1.0, open_low=True),
    "ClassifierTraining.learning_rate": _NOT_NEGATIVE,
    "ClassifierTraining.statistics_momentum": _DECAY,
    "ClassifierTraining.warmup_epochs": _NOT_NEGATIVE,
    "DiffAugment.cutout": _SHARE,
    "DiffAugment.translation": _SHARE,
    "Discriminator.input_scale": _ANY,
    "Discriminator.num_logits": Range(1, 2),
    "EnergyMargin.margin": _POSITIVE,
    "Experiment.batch_size": Range(2),
    "ExponentialMovingAverage.decay": _DECAY,
    "FollowTheRidge.damping": _NOT_NEGATIVE,
    "FollowTheRidge.rate_ratio": _POSITIVE,
    "Dragan.target": _NOT_NEGATIVE,
    "InstanceNoise.level": _NOT_NEGATIVE,
    "InstanceNoise.steps": _NOT_NEGATIVE,
    "Langevin.precision": _NOT_NEGATIVE,
    "Langevin.step_size": _POSITIVE,
    "LatentRule.regularizer_weight": _NOT_NEGATIVE,
    "LeCam.decay": _DECAY,
    "Momentum.beta": _SIGNED,
    "OptimalTransport.slope": _POSITIVE,
    "OptimalTransport.step_size": _POSITIVE,
    "Trainer.collapse_factor": Range(1.0, open_low=True, also=(0,)),
    "Trainer.collapse_floor": _NOT_NEGATIVE,
    "Trainer.jit_compile": Only((True, False, "auto"), "choose one of them"),
    "Unrolled.beta_1": _SIGNED,
    "Unrolled.beta_2": _INSIDE,
    "WeightClipping.limit": _POSITIVE,
    "smoothed.target": Range(0.5, 1.0, open_low=True),
    "resnet_56.depth": Range(8),
}

_AVERAGE = "take Experiment.averaging = @ExponentialMovingAverage()"

_KERAS: dict[str, tuple[Any, Range | Only | None]] = {
    "alpha": (float, _SHARE),
    "amsgrad": (bool, None),
    "beta_1": (float, _SIGNED),
    "beta_2": (float, _DECAY),
    "centered": (bool, None),
    "clipnorm": (float | None, _POSITIVE),
    "clipvalue": (float | None, _POSITIVE),
    "cycle": (bool, None),
    "decay_rate": (float, _POSITIVE),
    "decay_steps": (float, _POSITIVE),
    "ema_momentum": (float, Only((0.99,), _AVERAGE)),
    "ema_overwrite_frequency": (int | None, Only((None,), _AVERAGE)),
    "end_learning_rate": (float, _NOT_NEGATIVE),
    "epsilon": (float, _POSITIVE),
    "global_clipnorm": (float | None, _POSITIVE),
    "gradient_accumulation_steps": (int | None, Range(2)),
    "initial_learning_rate": (float, _NOT_NEGATIVE),
    "learning_rate": (float, _NOT_NEGATIVE),
    # Whose division nothing multiplies first.
    "loss_scale_factor": (float | None, Only((None,), "losses are not scaled")),
    "momentum": (float, _SIGNED),
    "name": (str | None, None),
    "nesterov": (bool, None),
    "power": (float, _POSITIVE),
    "rho": (float, _DECAY),
    "staircase": (bool, None),
    "use_ema": (bool, Only((False,), _AVERAGE)),
    "warmup_steps": (float, _NOT_NEGATIVE),
    "warmup_target": (float | None, _NOT_NEGATIVE),
    "weight_decay": (float | None, _NOT_NEGATIVE),
}
"""Types and ranges of the arguments of Keras, which has neither. Adam's β₁ may be
negative: that is negative momentum (Gidel et al. 2019)."""


def hint(configurable: Callable, parameter: str) -> Any:
    """The type of an argument of Keras; None for others."""
    return _of_keras(configurable, parameter)[0]


def of(configurable: Callable, parameter: str) -> Range | Only | None:
    """The range of an argument; None where there is none, or where only building tells
    (of points, and of the user's own classes).
    """
    if range_ := _of_keras(configurable, parameter)[1]:
        return range_
    if not _is_of(configurable, "logan_tf") or _is_of(
        configurable, "logan_tf.data.points"
    ):
        return None
    name = inspect.unwrap(configurable).__name__
    return _OWN.get(f"{name}.{parameter}", _BY_NAME.get(parameter))


def _of_keras(configurable: Callable, parameter: str) -> tuple[Any, Any]:
    """The type and the range of an argument of its optimizers and schedules."""
    package, *modules = inspect.unwrap(configurable).__module__.split(".")
    known = package == "keras" and "optimizers" in modules
    return _KERAS.get(parameter, (None, None)) if known else (None, None)


def check(range_: Range | Only, value: Any, name: str) -> None:
    """Refuses a value that is out of range.

    Args:
      range_: of the argument.
      value: of a type that fits; what is no literal is let pass.
      name: of the argument, with which the refusal begins.

    Raises:
      ConfigurationError: if it, or a number in it, is out of range.
    """
    if isinstance(range_, Only):
        known = any(value is each or value == each for each in range_.values)
        if not known or (value in (0, 1) and not isinstance(value, bool)):
            values = " or ".join(map(repr, range_.values))
            raise ConfigurationError(
                f"{name} must be {values}, not {value!r}: {range_.remedy}"
            )
        return
    for number in _numbers(value):
        if not range_.has(number):
            finite = " and finite" if math.isinf(number) else ""
            raise ConfigurationError(f"{name} {range_}{finite}, not {value!r}")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _numbers(item)
    elif type(value) in (list, tuple):  # No reference, which is a tuple too.
        for item in value:
            yield from _numbers(item)


def _is_of(configurable: Callable, package: str) -> bool:
    return f"{inspect.unwrap(configurable).__module__}.".startswith(f"{package}.")
