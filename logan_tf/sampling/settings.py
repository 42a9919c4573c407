"""What samples depend on beside the weights. Imports no TensorFlow."""

import dataclasses

from logan_tf.errors import ConfigurationError, require_counts


@dataclasses.dataclass(frozen=True)
class SamplingSettings:
    """How samples are drawn.

    Attributes:
      seed: of latents, labels and standing statistics.
      latent_steps: exactly so many steps of latent optimization before each sample.
      truncation: s in (0, 1]; truncated latents (`data.priors`) start the steps.
    """

    seed: int = 0
    latent_steps: int = 0
    truncation: float = 1.0

    def require(
        self, has_latent_steps: bool, num: int = 1, interpolate: int = 0
    ) -> None:
        """Refuses what cannot be drawn.

        Args:
          has_latent_steps: whether latents can be optimized.
          num: of samples.
          interpolate: of pictures a row; 0: no rows.

        Raises:
          ConfigurationError: a value outside of its range, or latent steps that the
            run cannot take.
        """
        require_counts(2**63 - 1, seed=self.seed)
        require_counts(2**31 - 1, num=num, latent_steps=self.latent_steps)
        if num < 1:
            raise ConfigurationError(f"{num} samples are asked for: ask for at least 1")
        if interpolate and (interpolate < 2 or num % interpolate):
            raise ConfigurationError(
                f"{num} samples are no rows of {interpolate}: interpolate takes a "
                "number of pictures a row, at least 2, and num a multiple of it"
            )
        if not 0 < self.truncation <= 1:
            raise ConfigurationError(
                f"truncation is {self.truncation}: give a number above 0, at most 1"
            )
        if self.latent_steps and not has_latent_steps:
            raise ConfigurationError(
                f"{self.latent_steps} latent steps are asked for, but the run has no "
                "latent optimizer: set latent_steps to 0, or evaluate a run with one"
            )
