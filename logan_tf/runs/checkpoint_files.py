"""A run's checkpoints as files: which there are, what is noted of them, which go.

A checkpoint of step 20 is the folder `ckpt-20`: `state.index` and `state.data-…`, as
TensorFlow writes them, and `manifest.json`. It is made beside its place and moved there
in one piece, and taken away in one piece: a step is whole, or was never there.
TensorFlow's own state file is not written, for a garbled one makes it believe that
there is no checkpoint.

Imports no TensorFlow: a run can be looked at on any machine.
"""

import contextlib
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from logan_tf import atomic_file, small_files
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.collapse import Best

_PREFIX = "ckpt-"
_STEP = re.compile(r"0|[1-9][0-9]{0,18}")
_SET_ASIDE = "set_aside"
_KINDS = {"attempt": int, "hooks_pending": bool, "sound": int | None}


class CheckpointFiles:
    """The files in a directory of checkpoints.

    Args:
      directory: need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, ascending."""
        names = (path.name for path in self.directory.glob(f"{_PREFIX}*"))
        numbers = (name.removeprefix(_PREFIX) for name in names)
        return sorted(int(number) for number in numbers if _STEP.fullmatch(number))

    def path(self, step: int) -> Path:
        """A checkpoint's path as TensorFlow has it: its files', without suffix."""
        return self.folder(step) / "state"

    def folder(self, step: int) -> Path:
        """All that there is of a checkpoint."""
        return self.directory / f"{_PREFIX}{step}"

    def manifest(self, step: int) -> dict[str, Any]:
        """What was written down of a checkpoint.

        Raises:
          BadDataError: if it is not what was written.
        """
        path = self._manifest_path(step)
        try:
            noted = small_files.read_json(path)
            found = noted["manifest"]
            if noted["checksum"] == _checksum(found):
                # A checksum keeps no forger out.
                kinds = {name: kind for name, kind in _KINDS.items() if name in found}
                small_files.require_kinds(found, kinds)
                Best.of(found)
                return found
        except small_files.GARBLED:
            pass
        raise BadDataError(f"{path.name} is missing or garbled")

    @contextlib.contextmanager
    def saving(self, step: int, manifest: dict[str, Any]) -> Iterator[str]:
        """Makes a checkpoint appear once it is complete.

        Args:
          step: of the checkpoint.
          manifest: what to write down of it.

        Yields:
          The path, without suffix, that TensorFlow writes to.
        """
        with atomic_file.replacing_folder(self.folder(step)) as folder:
            yield str(folder / self.path(step).name)
            text = _written(manifest)
            atomic_file.write_text(folder / self._manifest_path(step).name, text)

    def write_manifest(self, step: int, manifest: dict[str, Any]) -> None:
        """Writes a manifest in the place of its step's."""
        atomic_file.write_text(self._manifest_path(step), _written(manifest))

    def keep(self, number: int) -> None:
        """Removes all but the newest and what these name.

        A manifest names the best checkpoint up to it: whichever of the newest a run
        goes on from, its best is there. Of the sound ones the newest names the last.
        """
        newest = self.steps()[-number:]
        bests = (self._noted(step)[0] for step in newest)
        kept = {*newest, *(best.step for best in bests if best)}
        kept |= set(self.named(newest[-1]) if newest else ())
        for step in set(self.steps()) - kept:
            atomic_file.remove_folder(self.folder(step))

    def named(self, step: int) -> dict[int, str]:
        """The checkpoints that one's manifest names, and what as."""
        best, sound = self._noted(step)
        named = {sound: "the last that was sound"}
        if best is not None:
            named[best.step] = f"the best, {best}"
        return {step: what for step, what in named.items() if step in self.steps()}

    def best(self) -> Best | None:
        """The best checkpoint, as the newest manifest that names one says."""
        bests = (self._noted(step)[0] for step in reversed(self.steps()))
        return next((best for best in bests if best), None)

    def _noted(self, step: int) -> tuple[Best | None, int | None]:
        """The best and the last sound checkpoint, as far as a manifest says."""
        with contextlib.suppress(BadDataError):
            manifest = self.manifest(step)
            return Best.of(manifest), manifest.get("sound")
        return None, None

    def require_layout(self) -> None:
        """Raises ConfigurationError for checkpoints of version 0.1: they were files."""
        if any(self.directory.glob(f"{_PREFIX}*.index")):
            raise ConfigurationError(
                f"{self.directory} holds checkpoints of logan_tf 0.1: take that "
                "version, which reads them, or start anew with --restart or another "
                "--run_dir"
            )

    def choose(self, which: str) -> list[int]:
        """The steps of which one is to be restored, in this order.

        Args:
          which: "latest", "best" or a step.

        Raises:
          ConfigurationError: if there is no such checkpoint.
        """
        self.require_layout()
        steps = self.steps()
        if not steps:
            raise ConfigurationError(
                f"{self.directory} holds no checkpoint: train first with "
                f"bin/train --run_dir={self.directory.parent}"
            )
        if which == "latest":
            return steps[::-1]
        best = self.best() if which == "best" else None
        if which == "best" and best is None:
            raise ConfigurationError(
                f"no evaluation of {self.directory.parent} says which checkpoint is "
                "the best: choose 'latest', or train with evaluate_every"
            )
        number = str(best.step) if best else which
        if number not in map(str, steps):
            raise ConfigurationError(
                f"there is no checkpoint {number!r} in {self.directory}: choose "
                f"'latest', 'best' or one of the steps {', '.join(map(str, steps))}"
            )
        return [int(number)]

    def set_aside(self, step: int) -> Path:
        """Moves a checkpoint to a folder where nothing looks for it."""
        aside = self.directory / _SET_ASIDE / self.folder(step).name
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(exist_ok=True)
        return self.folder(step).rename(aside).parent

    def half_written(self) -> list[Path]:
        """What an interrupted save or removal left behind."""
        return sorted(self.directory.glob(f"{atomic_file.PREFIX}*"))

    def sweep(self) -> list[str]:
        """Removes that; returns the names."""
        paths = self.half_written()
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)
        return [path.name for path in paths]

    def _manifest_path(self, step: int) -> Path:
        return self.folder(step) / "manifest.json"


def _written(manifest: dict[str, Any]) -> str:
    noted = {"checksum": _checksum(manifest), "manifest": manifest}
    return json.dumps(noted, indent=1) + "\n"


def _checksum(manifest: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(manifest, sort_keys=True).encode())
