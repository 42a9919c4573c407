"""Which versions are installed, without importing what they are of."""

from importlib import metadata

_DISTRIBUTIONS = {"tensorflow": ("tensorflow", "tensorflow-tpu", "tensorflow-cpu")}
"""Package → the distributions that it may come from, where there are several."""


def installed(*packages: str) -> dict[str, str | None]:
    """Package → version; None where none is installed, as in a mere checkout."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str | None:
    for distribution in _DISTRIBUTIONS.get(package, (package,)):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None
