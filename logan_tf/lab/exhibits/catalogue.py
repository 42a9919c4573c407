"""Studies of toys, which need no runs. Imports no TensorFlow."""

import importlib
from pathlib import Path
from typing import NamedTuple


class Exhibit(NamedTuple):
    """A study that a process computes by itself.

    Attributes:
      name: as `bin/reproduce` is told it; the module beside this one that has
        `run(folder, seeds)`, which writes table.md, results.json and figures.
      title: what it shows.
    """

    name: str
    title: str

    def run(self, folder: Path, seeds: int) -> None:
        """Computes it, into a folder, for so many seeds."""
        module = importlib.import_module(f"logan_tf.lab.exhibits.{self.name}")
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        module.run(folder, seeds)


SEEDS = 3
EXHIBITS = {
    exhibit.name: exhibit
    for exhibit in (
        Exhibit("bilinear", "every dynamics on f = xy: rates against closed forms"),
        Exhibit("dirac", "every dynamics on the Dirac-GAN: rates and endings"),
        Exhibit("portraits", "a ring while it is learnt: a film, and modes by time"),
        Exhibit("clipping", "a critic of eight layers: clipped, or with a penalty"),
        Exhibit(
            "lecture_figures", "distances, costs, critics, fixed points: the lectures"
        ),
    )
}
