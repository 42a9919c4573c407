"""Where a module of TF Hub lies on this machine, by TF Hub's own layout.

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

from logan_tf import installation
from logan_tf.errors import ConfigurationError, first_line

_TIMEOUT = 30.0  # seconds without an answer
_MODEL = "saved_model.pb"


def resolve(handle: str) -> Path:
    """The directory of a SavedModel.

    Args:
      handle: a local directory, or an address: it is looked for in $TFHUB_CACHE_DIR
        (else in this package's own cache), and downloaded into it.

    Raises:
      ConfigurationError: it is not there and cannot be downloaded.
    """
    if "://" not in handle:
        return _checked(Path(handle).expanduser())
    given = os.environ.get("TFHUB_CACHE_DIR")
    cache = Path(given).expanduser() if given else installation.cache_dir() / "tfhub"
    cached = cache / hashlib.sha1(handle.encode()).hexdigest()
    if not (cached / _MODEL).is_file():
        _download(handle, cached)
    return _checked(cached)


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
                urllib.request.urlopen(
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
