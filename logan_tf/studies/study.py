"""What a study is: arms × seeds, what is asked of each run, and what is made of it."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from logan_tf.sampling.settings import SamplingSettings

EMBEDDED, PAPER, SMOKE = SCALES = ("embedded", "paper", "smoke")
SIZE = {
    # A quarter of the recipes' work a step, and more room between the methods.
    EMBEDDED: ("width = 8", "batch_size = 32"),
    PAPER: (),
    SMOKE: (
        "width = 4",
        "batch_size = 4",
        "latent_dim = 8",
        "standing_batches = 1",
        "log_every = 1",
        "checkpoint_every = 2",
        "sample_every = 0",
        "DigitMetrics.kept = 200",
    ),
}
"""What a scale changes in a recipe of pictures; an arm's own statements follow it."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to train, of which each seed is a run.

    Attributes:
      name: names the runs' folders.
      label: in tables and legends.
      recipe: at the embedded scale and in smoke tests.
      paper: the recipe at the paper's scale; None: there is none.
      params: gin statements.
      steps: when it is evaluated; None: when the study says.
      seeds: how many; None: as many as the study's.
      home: the study in whose folder the runs lie; None: the one it is an arm of.
      versus: the arm that differences are taken to; None: the study's first.
      point: of a search, the values by parameter.
    """

    name: str
    label: str
    recipe: str
    paper: str | None = None
    params: tuple[str, ...] = ()
    steps: tuple[int, ...] | None = None
    seeds: int | None = None
    home: str | None = None
    versus: str | None = None
    point: tuple[tuple[str, float], ...] = ()

    def recipe_at(self, scale: str) -> str | None:
        """The recipe to train at a scale."""
        return self.paper if scale == PAPER else self.recipe


def sampling_flags(asked: SamplingSettings) -> tuple[str, ...]:
    """Those of bin/evaluate and bin/sample; the seed is theirs."""
    return (f"--latent_steps={asked.latent_steps}", f"--truncation={asked.truncation}")


Then = Callable[..., Sequence[Arm]]
"""(`Results`, `Study`) → arms that follow from the results of the others; the same from
the same results."""

MakeRows = Callable[..., Iterable[dict[str, Any]]]
"""`Results` → rows: by column text, or a number of each seed."""

DrawFigure = Callable[..., None]
"""(`Results`, path) → draws a figure as a PNG."""


@dataclasses.dataclass(frozen=True)
class Study:
    """A question of the paper's, or of a reviewer's.

    Attributes:
      name: as `bin/reproduce` is told it.
      title: what it shows.
      arms: what is compared.
      steps: scale → the steps at which runs are evaluated; the last ends them.
      size: scale → what it changes in every recipe.
      seeds: how many runs of each arm, of the seeds from 0 on.
      then: makes further arms of the results.
      asked: evaluations after the training, of every run.
      pictures: settings that samples are drawn with, of the first seed.
      local_approximation: whether to measure the error of eq. 26.
      accuracy: scale → the part whose classifier learns from samples; {}: none does.
      figures: file name → what draws it.
      tables: heading → what makes the rows of a further table.
      needs_folders: whether it reads more of a run than results.json says: every line
        of metrics, spectra.
      published: published numbers, a row each, with what they were measured on.
      published_by: whom, and where they were measured.
    """

    name: str
    title: str
    arms: tuple[Arm, ...]
    steps: dict[str, tuple[int, ...]]
    size: dict[str, tuple[str, ...]] = dataclasses.field(
        default_factory=lambda: dict(SIZE)
    )
    seeds: int = 3
    then: Then = lambda results, study: ()
    asked: tuple[SamplingSettings, ...] = ()
    pictures: tuple[SamplingSettings, ...] = ()
    local_approximation: bool = False
    accuracy: dict[str, str] = dataclasses.field(default_factory=dict)
    figures: dict[str, DrawFigure] = dataclasses.field(default_factory=dict)
    tables: dict[str, MakeRows] = dataclasses.field(default_factory=dict)
    needs_folders: bool = False
    published: tuple[dict[str, str], ...] = ()
    published_by: str = "Wu et al. 2019; measured on TPU"

    def steps_of(self, arm: Arm, scale: str) -> tuple[int, ...]:
        """When an arm's runs are evaluated."""
        return arm.steps or self.steps[scale]
