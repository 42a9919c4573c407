"""What several studies have in common: when runs are evaluated, and what is drawn."""

from functools import partial

from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies import figures
from logan_tf.studies import traces as training
from logan_tf.studies.study import EMBEDDED, PAPER, SMOKE


def _steps(embedded: tuple[int, ...], paper: tuple[int, ...]) -> dict:
    return {EMBEDDED: embedded, PAPER: paper, SMOKE: (2, 4)}


SHORT = _steps((1000, 2000, 4000), (50_000, 100_000, 200_000))
SEARCH = _steps((1000,), (50_000,))
LONG = _steps(tuple(range(2000, 10_001, 2000)), tuple(range(50_000, 600_001, 50_000)))
LONG_BIG = LONG | {EMBEDDED: tuple(range(1000, 4001, 1000))}
BIG = _steps((1000, 2000), (100_000, 200_000, 300_000))
"""Scale → the steps at which runs are evaluated; BIG ones are BigGAN-deep's."""

ALL = ("modes", "confident_modes", "fid", "is")
CURVES = partial(figures.curves, metrics=ALL)
OF_CLASSES = ("fid", "is", "recall", "class_agreement")
CLASS_CURVES = partial(figures.curves, metrics=OF_CLASSES)
TIMES = partial(figures.curves, metrics=("modes", "fid"), wall_clock=True)
DIVERSITY = partial(figures.curves, metrics=("fid", "recall"), wall_clock=True)
FINALS = partial(figures.finals, metrics=ALL)
ASKED = partial(figures.latent_steps, metrics=("fid", "is", "modes", "reverse_kl"))


def traces(*names: str) -> partial:
    """Draws training metrics against steps."""
    return partial(training.metrics, names=names)


SHARES = traces("discriminator_second_order_share", "generator_second_order_share")
STEP = traces("delta_z_norm", "overshoot_fraction", "clipped_fraction")

TRUNCATED = tuple(
    SamplingSettings(truncation=s) for s in (1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.02)
)
