"""A run directory: one run's whole truth on disk, and where in it everything lies.

Imports no TensorFlow: a directory that cannot serve is refused before anything is
built.
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from logan_tf import atomic_file, small_files
from logan_tf.errors import ConfigurationError
from logan_tf.runs import run_lock
from logan_tf.runs.checkpoint_files import CheckpointFiles

_RECIPE = "# Recipe: "
_GRID = re.compile(r"step-([0-9]{8,19})\.png")
_YOUNG = 600.0  # seconds
_LONGEST_LINE = 2**20  # bytes


class RunDirectory:
    """Paths inside a run directory, and the files that need no TensorFlow.

    Args:
      path: the directory; need not exist.
      follow_links: whether a person linked what is in it on purpose. Of a run of
        somebody else's, links may lead anywhere, for reading and for writing.
    """

    def __init__(
        self, path: str | os.PathLike[str], follow_links: bool = False
    ) -> None:
        self.path = Path(path)
        self._follow_links = follow_links
        self.config = self.path / "config.gin"
        self.operative_config = self.path / "operative_config.gin"
        self.initialization = self.path / "initialization.json"
        self.checkpoints = self.path / "checkpoints"
        self.metrics = self.path / "metrics.jsonl"
        self.events = self.path / "events"
        self.samples = self.path / "samples"
        self.evaluations = self.path / "evaluations"
        self.spectra = self.path / "spectra"
        self.accuracy_score = self.path / "accuracy_score"
        self.saved_model = self.path / "saved_model"
        self.report = self.path / "report.html"
        self.failures = self.path / "failures"
        self.failure = self.path / "failure.json"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Makes the directory and holds its lock for a block.

        It goes again if the block put nothing in.

        Raises:
          ConfigurationError: if it cannot be written to, or somebody else writes.
        """
        self._require_plain()
        missing = [p for p in (self.path, *self.path.parents) if not p.exists()]
        try:
            self._make()
            with run_lock.held(self.path):
                yield
        finally:
            for path in missing:
                with contextlib.suppress(OSError):
                    path.rmdir()

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.path, prefix=atomic_file.PREFIX):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"cannot write to the run directory {self.path} ({error.strerror}): "
                "choose another with --run_dir"
            ) from error

    def _require_plain(self) -> None:
        """Refuses pipes and devices, reading which might never end, and links."""
        entries = [*self._files(), *self._folders(), self.failure]
        below = (path for folder in self._folders() for path in folder.rglob("*"))
        for path in itertools.chain(entries, below):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                mode = path.stat(follow_symlinks=self._follow_links).st_mode
                if stat.S_ISLNK(mode):
                    raise ConfigurationError(
                        f"{path} is a link, which may lead anywhere: remove it, or "
                        "give --follow_links if you made it"
                    )
                if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                    raise ConfigurationError(
                        f"{path} is neither a file nor a folder: remove it"
                    )

    def require(self) -> None:
        """Raises ConfigurationError unless a run with a configuration lies here."""
        if not self.exists():
            self._require_plain()
            if (self.path / "saved_model.pb").is_file():
                raise ConfigurationError(
                    f"{self.path} is an export, not a run directory: bin/sample draws "
                    "from it with --saved_model"
                )
            raise ConfigurationError(
                f"{self.path} is not a run directory (it has no config.gin): give "
                "that of a bin/train run with --run_dir"
            )
        self._require_plain()

    def require_checkpoint(self, which: str = "latest") -> None:
        """Raises ConfigurationError unless there is such a checkpoint to restore."""
        self._require_plain()
        CheckpointFiles(self.checkpoints).choose(which)

    def exists(self) -> bool:
        """Whether a run was started here."""
        return self.config.is_file()

    def has(self, config: str) -> bool:
        """Whether a run of this very configuration was started here."""
        if not self.exists():
            return False
        return small_files.read_text(self.config, errors="replace") == config

    def recipe(self) -> str:
        """The name of the run's recipe, which its configuration begins with."""
        text = small_files.read_text(self.config, errors="replace")
        first, *_ = text.splitlines() or [""]
        name = first.removeprefix(_RECIPE)
        return name if name != first else self.path.name

    def named(self, config: str, gin_file: Path) -> str:
        """A configuration headed with its recipe's name.

        Args:
          config: as one gin file.
          gin_file: the first file it was read from; that of the run keeps its name.
        """
        own = self.exists() and gin_file.resolve() == self.config.resolve()
        return f"{_RECIPE}{self.recipe() if own else gin_file.stem}\n{config}"

    def clear(self) -> None:
        """Removes what a run made, and nothing else."""
        for folder in self._folders():
            shutil.rmtree(folder, ignore_errors=True)
        for file in self._files():
            file.unlink(missing_ok=True)

    def _folders(self) -> list[Path]:
        written = [self.checkpoints, self.events, self.samples, self.evaluations]
        others = [self.spectra, self.accuracy_score, self.saved_model, self.failures]
        return [*written, *others]

    def _files(self) -> list[Path]:
        files = [self.config, self.operative_config, self.initialization, self.metrics]
        return [*files, self.report]

    def sample_path(self, step: int) -> Path:
        """Where the grid of a step lies, `samples/step-00002000.png`."""
        return self.samples / f"step-{step:08d}.png"

    def drawn_samples(self) -> dict[int, Path]:
        """The grids that are there, by step."""
        named = ((_GRID.fullmatch(p.name), p) for p in self.samples.glob("step-*.png"))
        return {int(match[1]): path for match, path in named if match}

    def evaluation_path(self, step: int, variant: str = "") -> Path:
        """Where an evaluation lies, `evaluations/step-00002000.json`."""
        return self.evaluations / f"step-{step:08d}{variant}.json"

    def spectrum_path(self, step: int) -> Path:
        """Where eigenvalues lie, `spectra/step-00002000.json`; a plot beside it."""
        return self.spectra / f"step-{step:08d}.json"

    def failure_path(self, step: int, attempt: int) -> Path:
        """Where the bundle of a failure lies, `failures/step-00000123-attempt-0`."""
        return self.failures / f"step-{step:08d}-attempt-{attempt}"

    def progressed(self) -> bool:
        """Whether steps were logged here: there must be a checkpoint then."""
        return self.metrics.is_file() and self.metrics.stat().st_size > 0

    def sweep(self) -> list[str]:
        """Removes what a killed process left half-written; returns the names.

        For the process that holds the run's lock. What is young may be another
        command's, which does not write where the lock matters.
        """
        swept = CheckpointFiles(self.checkpoints).sweep()
        folders = (self.events, self.samples, self.evaluations, self.spectra)
        for folder in (self.path, *folders):
            if folder.is_symlink() and folder != self.path:
                continue  # Not even if links are followed.
            for path in folder.glob(f"{atomic_file.PREFIX}*"):
                status = path.lstat()
                is_old = time.time() - status.st_mtime > _YOUNG
                if stat.S_ISREG(status.st_mode) and is_old:
                    path.unlink(missing_ok=True)
                    swept.append(path.name)
        return swept

    def truncate_metrics(self, step: int) -> None:
        """Drops the lines of `metrics.jsonl` past a step, and what is no line."""
        if not self.metrics.is_file():
            return
        with atomic_file.replacing(self.metrics) as file:
            for line in metric_lines(self.metrics):
                row = metric_row(line)
                if row is not None and row["step"] <= step:
                    file.write(line + b"\n")


def metric_lines(path: Path) -> Iterator[bytes]:
    """The lines of a `metrics.jsonl` as they are read, without the blank ones.

    There may be millions. One without an end comes in pieces, which are no lines.
    """
    if not path.is_file():
        return
    with small_files.opened(path) as file:
        for line in iter(partial(file.readline, _LONGEST_LINE), b""):
            if line := line.strip():
                yield line


def metric_row(line: bytes) -> dict[str, Any] | None:
    """What a line of `metrics.jsonl` says, by name; None if it is none of them.

    Its "step" is an integer of 0 or more that fits into 64 bits; of the other values
    nothing is known.
    """
    try:
        row = json.loads(line)
        is_step = type(row["step"]) is int and 0 <= row["step"] < 2**63
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return row if is_step else None
