"""What is due between steps: drawing samples, evaluating, measuring a spectrum."""

from collections.abc import Callable

from logan_tf.errors import ConfigurationError
from logan_tf.runs.collapse import Quality
from logan_tf.training.monitor import Monitor

DrawSamples = Callable[[int, Monitor], object]
"""Called with the number of steps done; CollapsedError stops the run."""

MeasureSpectrum = Callable[[int, Monitor], object]
"""The same, of the eigenvalues of the game's Jacobian."""

Evaluate = Callable[[int, Monitor], Quality]
"""The same, and returns what it found."""


class Hooks:
    """Calls each when it is due, and at the last step.

    Args:
      total_steps: of the run.
      sample_every: steps between two calls of `sample`; 0: never.
      evaluate_every: steps between two calls of `evaluate`; 0: never.
      sample: draws samples.
      evaluate: evaluates; None needs `evaluate_every` 0.
      spectrum_every: steps between two calls of `spectrum`; 0: never.
      spectrum: measures one.

    Raises:
      ConfigurationError: for steps below 0, or nothing to evaluate by.
    """

    def __init__(
        self,
        total_steps: int,
        sample_every: int,
        evaluate_every: int,
        sample: DrawSamples | None,
        evaluate: Evaluate | None,
        spectrum_every: int = 0,
        spectrum: MeasureSpectrum | None = None,
    ) -> None:
        periods = {
            "sample_every": sample_every,
            "evaluate_every": evaluate_every,
            "spectrum_every": spectrum_every,
        }
        for name, every in periods.items():
            if every < 0:
                raise ConfigurationError(f"{name} must be 0 or more, not {every}")
        if evaluate_every and evaluate is None:
            raise ConfigurationError(
                f"evaluate_every is {evaluate_every}, but the recipe brings no "
                "protocol to evaluate by: set it to 0"
            )
        self._total_steps = total_steps
        self._sample = sample
        self._evaluate = evaluate
        self._sample_every = sample_every if sample else 0
        self._evaluate_every = evaluate_every
        self._spectrum = spectrum
        self._spectrum_every = spectrum_every if spectrum else 0

    @property
    def evaluates(self) -> bool:
        """Whether there is ever an evaluation."""
        return self._evaluate_every > 0

    def steps_until_due(self, step: int, other_period: int) -> int:
        """Steps until the next call, the next multiple of a period or the last step."""
        periods = (self._sample_every, self._evaluate_every, self._spectrum_every)
        until = [every - step % every for every in (other_period, *periods) if every]
        return min(*until, self._total_steps - step)

    def are_due(self, step: int) -> bool:
        """Whether anything is due at a step."""
        periods = (self._sample_every, self._evaluate_every, self._spectrum_every)
        return any(self._is_due(step, every) for every in periods)

    def evaluation_is_due(self, step: int) -> bool:
        """Whether an evaluation is."""
        return self._is_due(step, self._evaluate_every)

    def call(self, step: int, monitor: Monitor) -> Quality | None:
        """Calls what is due; returns what an evaluation found.

        Raises:
          CollapsedError, DivergedError: as the hooks do.
        """
        if self._sample and self._is_due(step, self._sample_every):
            self._sample(step, monitor)
        if self._spectrum and self._is_due(step, self._spectrum_every):
            self._spectrum(step, monitor)
        if self._evaluate and self.evaluation_is_due(step):
            return self._evaluate(step, monitor)
        return None

    def _is_due(self, step: int, every: int) -> bool:
        return every > 0 and (step % every == 0 or step == self._total_steps)
