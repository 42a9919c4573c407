"""Which evaluation was the best so far, and when a run has collapsed.

Imports no TensorFlow: a run directory can be asked for its best checkpoint anywhere.
"""

import typing
from typing import Any, NamedTuple

from logan_tf import small_files
from logan_tf.errors import CollapsedError, ConfigurationError


class Quality(NamedTuple):
    """What an evaluation says in one number, by the protocol's criterion."""

    metric: str
    value: float
    """The lower, the better."""


class Best(NamedTuple):
    """The best evaluation of a run so far, of one metric."""

    step: int
    metric: str
    value: float

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> "Best | None":
        """That which a checkpoint's manifest names, if it does.

        Raises:
          KeyError, TypeError, ValueError: it names something else.
        """
        noted = manifest.get("best")
        if noted is None:
            return None
        small_files.require_kinds(noted, typing.get_type_hints(cls))
        return cls(**noted)

    def scalars(self) -> dict[str, float | int]:
        """For the lines of metrics."""
        return {"best_step": self.step, f"best_{self.metric}": self.value}

    def __str__(self) -> str:
        return f"{self.metric} {self.value:.4g}"


class Watch:
    """Compares each evaluation with the best before it.

    Args:
      factor: a value above so many times the best is a collapse; 0: none is. The FID of
        a run that learns swings by some ten percent, and a collapse multiplies it
        within a few thousand updates.
      floor: no value up to here is a collapse: of small values the best is often a
        multiple of the next best by luck. The default is a Fréchet distance that no
        useful generator of pictures has; a KL divergence, at most the logarithm of the
        number of modes, never reaches it.

    Raises:
      ConfigurationError: for numbers out of their range.
    """

    def __init__(self, factor: float = 3.0, floor: float = 100.0) -> None:
        if factor != 0 and not factor > 1:
            raise ConfigurationError(
                "Trainer.collapse_factor must be above 1, or 0 to go on whatever "
                f"happens, not {factor}"
            )
        if not floor >= 0:
            raise ConfigurationError(
                f"Trainer.collapse_floor must be 0 or more, not {floor}"
            )
        self._factor = factor
        self._floor = floor

    def judge(self, step: int, quality: Quality, best: Best | None) -> Best:
        """The best evaluation, this one included.

        Args:
          step: of the evaluation.
          quality: what it found.
          best: before it; that of another metric counts for nothing.

        Raises:
          CollapsedError: if it is far worse than the best.
        """
        if best is None or best.metric != quality.metric or quality.value < best.value:
            return Best(step, *quality)
        if self._factor and quality.value > max(self._factor * best.value, self._floor):
            raise CollapsedError(
                f"step {step}: {quality.metric} is {quality.value:.4g}, more than "
                f"{self._factor:g} times the best, {best.value:.4g} at step "
                f"{best.step}: lower generator_rate and discriminator_rate, or let it "
                "go on with --gin_param='Trainer.collapse_factor = 0'"
            )
        return best
