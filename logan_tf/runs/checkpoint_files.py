"""A run's checkpoints as files: which there are, whether they are whole, which go.

A checkpoint of step 20 is `ckpt-20.index`, `ckpt-20.data-00000-of-00001` as TensorFlow
writes them, and `ckpt-20.json`, its manifest, with the checksums of both. Files are
written in a folder of their own and moved to their place when they are complete, the
manifest last. TensorFlow's state file `checkpoint` is written for others to read; here
the files themselves are the truth, for a garbled state file makes TensorFlow believe
that there is no checkpoint.

Imports no TensorFlow: a run can be looked at on any machine.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from logan_tf import atomic_file
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.collapse import Best

PREFIX = "ckpt"
_STATE = "checkpoint"
_SAVING = ".saving-"
_SET_ASIDE = "set_aside"


class CheckpointFiles:
    """The files in a directory of checkpoints.

    Args:
      directory: need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def steps(self) -> list[int]:
        """The steps of which an index or a manifest is there, ascending."""
        found = {*self.directory.glob(f"{PREFIX}-*.index")}
        found |= {*self.directory.glob(f"{PREFIX}-*.json")}
        numbers = {path.stem.removeprefix(f"{PREFIX}-") for path in found}
        return sorted(int(number) for number in numbers if number.isdigit())

    def path(self, step: int) -> Path:
        """A checkpoint's path as TensorFlow has it: its files', without suffix."""
        return self.directory / f"{PREFIX}-{step}"

    def manifest(self, step: int) -> dict[str, Any]:
        """What was written down of a checkpoint; empty where it has no manifest.

        Raises:
          BadDataError: if it cannot be read.
        """
        path = self._manifest_path(step)
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            if manifest["step"] == step and isinstance(manifest["files"], dict):
                Best.of(manifest)
                return manifest
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise BadDataError(f"{path} is garbled: see bin/doctor")

    def damage(self, step: int) -> str | None:
        """What is wrong with a checkpoint's files, or None.

        Without a manifest only their presence is looked at; TensorFlow has checksums of
        its own, which a restore then meets.
        """
        try:
            files = self.manifest(step).get("files")
        except BadDataError:
            return f"{self._manifest_path(step).name} is garbled"
        if files is None:
            if not self.path(step).with_name(f"{PREFIX}-{step}.index").is_file():
                return f"{PREFIX}-{step}.index is missing"
            if not any(self.directory.glob(f"{PREFIX}-{step}.data-*")):
                return f"{PREFIX}-{step}.data is missing"
            return None
        for name, noted in files.items():
            path = self.directory / name
            try:
                if path.stat().st_size != noted["bytes"]:
                    return f"{name} has {path.stat().st_size} bytes of {noted['bytes']}"
                if sha256(path) != noted["sha256"]:
                    return f"{name} is not what was written (its checksum differs)"
            except OSError:
                return f"{name} is missing or cannot be read"
        return None

    @contextlib.contextmanager
    def saving(self, step: int, manifest: dict[str, Any]) -> Iterator[str]:
        """Makes the files of a checkpoint appear once they are complete.

        Args:
          step: of the checkpoint.
          manifest: what else to write down.

        Yields:
          The path, without suffix, that TensorFlow writes to.
        """
        folder = self.directory / f"{_SAVING}{step}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield str(folder / f"{PREFIX}-{step}")
            files = sorted(folder.glob(f"{PREFIX}-{step}.*"))
            sums = {
                path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
                for path in files
            }
            # An older checkpoint of this step is incomplete from here on.
            self._manifest_path(step).unlink(missing_ok=True)
            for path in files:
                path.replace(self.directory / path.name)
            self.write_manifest({"step": step, **manifest, "files": sums})
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Writes a manifest in the place of its step's."""
        text = json.dumps(manifest, indent=1) + "\n"
        atomic_file.write_text(self._manifest_path(manifest["step"]), text)

    def keep(self, number: int) -> None:
        """Removes all but the newest and what these name; rewrites the state file.

        A manifest names the best checkpoint up to it: whichever of the newest a run
        goes on from, its best is there. Of the sound ones the newest names the last.
        """
        newest = self.steps()[-number:]
        bests = (self._best_of(step) for step in newest)
        kept = {*newest, *(best.step for best in bests if best)}
        kept |= set(self.named(newest[-1]) if newest else ())
        for step in self.steps():
            if step not in kept:
                for path in self._files(step):
                    path.unlink(missing_ok=True)
        self.write_state()

    def named(self, step: int) -> dict[int, str]:
        """The checkpoints that one's manifest names, and what as."""
        best, named = self._best_of(step), {}
        with contextlib.suppress(BadDataError):
            named[self.manifest(step).get("sound")] = "the last that was sound"
        if best is not None:
            named[best.step] = f"the best, {best}"
        return {step: what for step, what in named.items() if step in self.steps()}

    def best(self) -> Best | None:
        """The best checkpoint, as the newest manifest that names one says."""
        bests = (self._best_of(step) for step in reversed(self.steps()))
        return next((best for best in bests if best), None)

    def _best_of(self, step: int) -> Best | None:
        with contextlib.suppress(BadDataError):
            return Best.of(self.manifest(step))
        return None

    def choose(self, which: str) -> list[int]:
        """The steps of which one is to be restored, in this order.

        Args:
          which: "latest", "best" or a step.

        Raises:
          ConfigurationError: if there is no such checkpoint.
        """
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
        if not number.isdigit() or int(number) not in steps:
            raise ConfigurationError(
                f"there is no checkpoint {number!r} in {self.directory}: choose "
                f"'latest', 'best' or one of the steps {', '.join(map(str, steps))}"
            )
        return [int(number)]

    def state_is_right(self) -> bool:
        """Whether TensorFlow's state file names the checkpoints that are there."""
        try:
            text = (self.directory / _STATE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return not self.steps()
        return text == self._state()

    def write_state(self) -> None:
        """Writes TensorFlow's state file anew, from the files that are there."""
        atomic_file.write_text(self.directory / _STATE, self._state())

    def set_aside(self, step: int) -> Path:
        """Moves a checkpoint's files to a folder where nothing looks for them."""
        folder = self.directory / _SET_ASIDE
        folder.mkdir(exist_ok=True)
        for path in self._files(step):
            path.replace(folder / path.name)
        return folder

    def copy(self, step: int, directory: Path) -> None:
        """Copies a checkpoint's files to another directory, by links where it can."""
        directory.mkdir(parents=True, exist_ok=True)
        for path in self._files(step):
            copied = directory / path.name
            copied.unlink(missing_ok=True)
            try:
                copied.hardlink_to(path)
            except OSError:
                shutil.copyfile(path, copied)

    def lost(self) -> bool:
        """Whether there were checkpoints and none is left."""
        return not self.steps() and (self.directory / _SET_ASIDE).is_dir()

    def half_written(self) -> list[Path]:
        """What an interrupted save left behind."""
        known = {path for step in self.steps() for path in self._files(step)}
        orphans = set(self.directory.glob(f"{PREFIX}-*.data-*")) - known
        temporary = self.directory.glob(f".{PREFIX}-*")
        return sorted([*self.directory.glob(f"{_SAVING}*"), *orphans, *temporary])

    def sweep(self) -> list[str]:
        """Removes what an interrupted save left behind; returns the names."""
        paths = self.half_written()
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return [path.name for path in paths]

    def _files(self, step: int) -> list[Path]:
        """Those of a checkpoint, in the order in which they can be taken away."""
        return [
            path
            for ending in ("json", "index", "data-*")
            for path in self.directory.glob(f"{PREFIX}-{step}.{ending}")
        ]

    def _manifest_path(self, step: int) -> Path:
        return self.directory / f"{PREFIX}-{step}.json"

    def _state(self) -> str:
        """The text form of TensorFlow's CheckpointState, with relative paths."""
        names = [json.dumps(f"{PREFIX}-{step}") for step in self.steps()]
        lines = [f"model_checkpoint_path: {name}" for name in names[-1:]]
        lines += [f"all_model_checkpoint_paths: {name}" for name in names]
        return "".join(f"{line}\n" for line in lines)


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
