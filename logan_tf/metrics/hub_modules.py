"""Where a SavedModel lies on this machine: a folder, or TF Hub's own layout.

A SavedModel is a program. One is fetched from a single address, by https alone. No hash
of it is published, so the first one that is used from there is the one that stays: its
hash is kept beside it, and another is refused.
`tensorflow_hub` itself is not imported: it needs `pkg_resources`, which setuptools 82
no longer has.
"""

import contextlib
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple, NewType

from logan_tf import atomic_file, installation, small_files
from logan_tf.errors import ConfigurationError, first_line

SavedModelPath = NewType("SavedModelPath", str)
"""The folder of a SavedModel, or `INCEPTION`: what a recipe says here is a program, and
needs the consent of the command line."""

INCEPTION = SavedModelPath("https://tfhub.dev/tensorflow/tfgan/eval/inception/1")
"""TF-GAN's module: images of any size -> logits [n, 1008] and pool_3 [n, 2048]."""

_TIMEOUT = 30.0  # seconds without an answer
_MODEL = "saved_model.pb"


class Module(NamedTuple):
    """A SavedModel on this machine."""

    directory: Path
    sha256: str
    """Of its files' names and contents, 64 hexadecimal digits."""


def resolve(handle: str, sha256: str | None = None) -> Module:
    """Finds a SavedModel, and loads nothing.

    Args:
      handle: a local directory, or `INCEPTION`: it is looked for in $TFHUB_CACHE_DIR
        (else in this package's own cache), and downloaded into it.
      sha256: what `Module.sha256` must be; None: anything.

    Raises:
      ConfigurationError: it is not there and cannot be downloaded, another address, or
        another hash than `sha256` or than the first that came from there.
    """
    if "://" not in handle:
        return _module(Path(handle).expanduser(), sha256)
    require_known(handle)
    given = os.environ.get("TFHUB_CACHE_DIR")
    cache = Path(given).expanduser() if given else installation.cache_dir() / "tfhub"
    cached = cache / hashlib.sha1(handle.encode()).hexdigest()
    if not (cached / _MODEL).is_file():
        return _downloaded(handle, cached, sha256)
    module = _module(cached, sha256)
    _require_first(module, cached, f"remove {cached}, to download it again, or")
    return module


def require_known(address: str) -> None:
    """Raises ConfigurationError for any address but `INCEPTION`."""
    if address != INCEPTION:
        raise ConfigurationError(
            f"no SavedModel is fetched from {address}: it would run as a program. "
            "Download it yourself if you trust it, unpack it, and give the folder"
        )


def require_sha256(text: str) -> None:
    """Raises ConfigurationError for what is no SHA-256."""
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise ConfigurationError(
            f"sha256 is {text!r}: give 64 hexadecimal digits, such as the receipt's "
            "classifier_sha256"
        )


def _module(directory: Path, sha256: str | None, source: str | None = None) -> Module:
    """The SavedModel there, of that hash, or of any; a refusal names the source."""
    source = source or str(directory)
    if not (directory / _MODEL).is_file():
        raise ConfigurationError(
            f"{source} holds no SavedModel (no {_MODEL}): give the folder that "
            "tf.saved_model.save wrote, or that the downloaded archive unpacks to"
        )
    found = _hash(directory)
    if sha256 not in (None, found):
        raise ConfigurationError(
            f"the SavedModel of {source} has the SHA-256 {found}, and sha256 is "
            f"{sha256}: get the one that has it, or give the other hash if it is the "
            "one that you trust"
        )
    return Module(directory, found)


def _hash(directory: Path) -> str:
    """Of each file's name, and of the hash of what it holds, in the names' order."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() and path.is_dir():  # Whose files are not among these.
            raise ConfigurationError(
                f"{path} is a link to a folder, whose files the hash would not cover: "
                "put the folder itself there"
            )
        if path.is_file():
            digest.update(str(path.relative_to(directory)).encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _require_first(module: Module, cached: Path, remedy: str) -> None:
    """Keeps the hash of the first module that is used, and refuses another's."""
    pin = cached.with_name(f"{cached.name}.sha256")
    try:
        first = small_files.read_text(pin, most=100).strip()
    except FileNotFoundError:
        with contextlib.suppress(OSError):  # A cache that others filled for all.
            atomic_file.write_text(pin, f"{module.sha256}\n")
        return
    except small_files.GARBLED as error:
        raise ConfigurationError(
            f"{pin} cannot be read ({first_line(error)}): remove it if you trust what "
            "comes from that address now"
        ) from error
    if first != module.sha256:
        raise ConfigurationError(
            f"the SavedModel of {INCEPTION} has the SHA-256 {module.sha256}, and the "
            f"first one had {first!r}: {remedy} {pin} if you trust what is there now"
        )


def _downloaded(handle: str, target: Path, sha256: str | None) -> Module:
    """Fetches the archive and unpacks it beside the target, which it then becomes."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            unpacked = Path(folder, "unpacked")
            with (
                _OPENER.open(
                    f"{handle}?tf-hub-format=compressed", timeout=_TIMEOUT
                ) as response,
                tarfile.open(fileobj=response, mode="r|*") as archive,
            ):
                # The filter keeps the files of a forged archive inside the folder.
                archive.extractall(unpacked, filter="data")
            module = _module(unpacked, sha256, source=handle)
            _require_first(module, target, "remove")
            shutil.rmtree(target, ignore_errors=True)
            unpacked.rename(target)
            return module._replace(directory=target)
    except (OSError, urllib.error.URLError, tarfile.TarError, EOFError) as error:
        raise ConfigurationError(
            f"{handle} is not in {target.parent} and cannot be downloaded "
            f"({first_line(error)}): unpack its archive somewhere and give that "
            "folder as the classifier's path, or set $TFHUB_CACHE_DIR"
        ) from error


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows an address to another of https, as TF Hub leads to where modules lie."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        address = arguments[-1]
        if not address.startswith("https://"):
            raise urllib.error.URLError(f"it leads to {address}, which is not https")
        return super().redirect_request(*arguments)


_OPENER = urllib.request.build_opener(_HttpsOnly)
