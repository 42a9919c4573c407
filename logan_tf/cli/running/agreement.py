"""What workers must have alike, as they compare it when they meet.

Imports no TensorFlow: that is before anything is built.
"""

import contextlib
import hashlib
import importlib.util
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import logan_tf
from logan_tf import versions
from logan_tf.configuration.recipe import Binding, Recipe
from logan_tf.configuration.recipe_files import GinReference
from logan_tf.data import manifest
from logan_tf.errors import ConfigurationError

_PLACES = ("data_dir", "path")
"""Of data, which may lie elsewhere on each machine: its contents are compared."""


def facts(
    recipe: Recipe, flags: Mapping[str, Any], modules: Sequence[str]
) -> dict[str, str | None]:
    """Name → what this worker would do, in the order in which it is told.

    Args:
      recipe: as it was read.
      flags: the flags that all workers need alike, by name.
      modules: the user's.
    """
    found: dict[str, str | None] = {}
    for name, value in flags.items():
        found[f"--{name}"] = repr(value)
    last = {binding.name: binding for binding in recipe.bindings}
    macros = [b for b in last.values() if not b.parameter]
    for binding in (*macros, *(b for b in last.values() if b.parameter)):
        if not _is_place(binding):
            found[binding.name] = repr(binding.value)
    found["the data's hash"] = data_hash(recipe)
    found["the version of Python"] = platform.python_version()
    for package, version in versions.installed("tensorflow", "keras", "numpy").items():
        found[f"the version of {package}"] = str(version)
    own = Path(logan_tf.__file__).parent
    found["the hash of logan_tf's code"] = _hash(own, sorted(own.rglob("*.py")))
    for module in modules:
        found[f"the hash of --module={module}"] = _module_hash(module)
    return found


def data_hash(recipe: Recipe) -> str | None:
    """Tells the contents of the recipe's data apart; None where nobody knows them yet.

    Of prepared pictures it is that of `dataset.json`, which has the checksum of every
    file; of TFDS's, of what describes the version that would be read. The embedded
    digits are part of a package.
    """
    dataset = _said(recipe, "Experiment.dataset")
    if not isinstance(dataset, GinReference):
        return None
    name = dataset.name.rpartition("/")[2].rpartition(".")[2]
    if name == "ImageRecords":
        path = _said(recipe, "ImageRecords.path")
        return _hash_of(Path(path).expanduser() / manifest.NAME) if path else None
    if name == "TFDSImages":
        folder = _said(recipe, "TFDSImages.data_dir") or "~/tensorflow_datasets"
        return _tfds_hash(Path(folder).expanduser(), _said(recipe, "TFDSImages.name"))
    return None


def _tfds_hash(folder: Path, name: Any) -> str | None:
    """Of `dataset_info.json` of a data set "name", "name/config" or "name:version"."""
    if not isinstance(name, str):
        return None
    name, _, version = name.partition(":")
    pattern = f"**/{version or '*'}/dataset_info.json"
    found = sorted((folder / name).glob(pattern), key=_version)
    return _hash_of(found[-1]) if found else None


def _version(path: Path) -> list[int]:
    """As TFDS orders versions: 10.0.0 is after 9.0.0."""
    return [int(part) if part.isdigit() else -1 for part in path.parent.name.split(".")]


def _said(recipe: Recipe, name: str) -> Any:
    """What is said of a parameter, or None."""
    try:
        return recipe.value(name)
    except ConfigurationError:
        return None


def _is_place(binding: Binding) -> bool:
    return (binding.parameter or binding.selector) in _PLACES


def _module_hash(module: str) -> str | None:
    """Of its file; None where it is not found, which importing it will say."""
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin:
            return _hash_of(Path(spec.origin))
    return None


def _hash_of(path: Path) -> str | None:
    return _hash(path.parent, [path]) if path.is_file() else None


def _hash(folder: Path, paths: Iterable[Path]) -> str:
    """12 hexadecimal digits of files' names and contents."""
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(folder).as_posix()
        digest.update(json.dumps([name, path.stat().st_size]).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
