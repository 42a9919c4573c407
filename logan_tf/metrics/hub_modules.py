"""Where a SavedModel lies on this machine: a folder, or TF Hub's own layout.

A SavedModel is a program. One is fetched from a single address, by https alone.
`tensorflow_hub` itself is not imported: it needs `pkg_resources`, which setuptools 82
no longer has.
"""

import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NewType

from logan_tf import installation
from logan_tf.errors import ConfigurationError, first_line

SavedModelPath = NewType("SavedModelPath", str)
"""The folder of a SavedModel, or `INCEPTION`: what a recipe says here is a program, and
needs the consent of the command line."""

INCEPTION = SavedModelPath("https://tfhub.dev/tensorflow/tfgan/eval/inception/1")
"""TF-GAN's module: images of any size -> logits [n, 1008] and pool_3 [n, 2048]."""

_TIMEOUT = 30.0  # seconds without an answer
_MODEL = "saved_model.pb"


def resolve(handle: str) -> Path:
    """The directory of a SavedModel.

    Args:
      handle: a local directory, or `INCEPTION`: it is looked for in $TFHUB_CACHE_DIR
        (else in this package's own cache), and downloaded into it.

    Raises:
      ConfigurationError: it is not there and cannot be downloaded, or another address.
    """
    if "://" not in handle:
        return _checked(Path(handle).expanduser())
    require_known(handle)
    given = os.environ.get("TFHUB_CACHE_DIR")
    cache = Path(given).expanduser() if given else installation.cache_dir() / "tfhub"
    cached = cache / hashlib.sha1(handle.encode()).hexdigest()
    if not (cached / _MODEL).is_file():
        _download(handle, cached)
    return _checked(cached)


def require_known(address: str) -> None:
    """Raises ConfigurationError for any address but `INCEPTION`."""
    if address != INCEPTION:
        raise ConfigurationError(
            f"no SavedModel is fetched from {address}: it would run as a program. "
            "Download it yourself if you trust it, unpack it, and give the folder"
        )


def _checked(directory: Path) -> Path:
    if not (directory / _MODEL).is_file():
        raise ConfigurationError(
            f"{directory} holds no SavedModel (no {_MODEL}): give the folder that "
            "tf.saved_model.save wrote, or that the downloaded archive unpacks to"
        )
    return directory


def _download(handle: str, target: Path) -> None:
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
            shutil.rmtree(target, ignore_errors=True)
            unpacked.rename(target)
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
