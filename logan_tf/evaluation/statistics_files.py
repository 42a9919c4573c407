"""Files of reference statistics: `mu` and `sigma`, as pytorch-fid, TTUR, BigGAN-PyTorch
and StudioGAN keep them in .npz. What else is in a file of ours they do not read.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from logan_tf import atomic_file, small_files
from logan_tf.errors import ConfigurationError, first_line
from logan_tf.evaluation.receipts import fingerprint
from logan_tf.metrics.moments import FeatureMoments

PROTOCOL = "logan_tf statistics/1"


class FeatureStatistics(NamedTuple):
    """What is known of real images through a classifier."""

    moments: FeatureMoments
    features: np.ndarray | None = None
    """float32 [m, d] of some of them, for what moments cannot tell."""
    labels: np.ndarray | None = None
    """int32 [m], their classes."""

    def hash(self) -> str:
        """16 hexadecimal digits of the moments."""
        return fingerprint(np.asarray(array, "<f8") for array in self.moments)


def write(
    path: str | os.PathLike[str], statistics: FeatureStatistics, **notes: str | int
) -> None:
    """Writes statistics as .npz, whole or not at all.

    Args:
      path: of the file.
      statistics: mu, sigma and, where there are any, features and labels.
      **notes: kept as 0-d strings beside them, such as classifier="…".

    Raises:
      OSError: it cannot be written.
    """
    contents: dict[str, np.ndarray] = {
        "mu": np.asarray(statistics.moments.mean, np.float64),
        "sigma": np.asarray(statistics.moments.covariance, np.float64),
    }
    if statistics.features is not None:
        contents["features"] = statistics.features
    if statistics.labels is not None:
        contents["labels"] = statistics.labels
    notes = {"protocol": PROTOCOL, **notes}
    contents |= {name: np.array(str(note)) for name, note in notes.items()}
    with atomic_file.replacing(path) as file:
        np.savez(file, **contents)  # type: ignore[arg-type]


def read(
    path: str | os.PathLike[str], dim: int | None = None, **notes: str | int
) -> FeatureStatistics:
    """Reads a file of ours or of the other programs.

    Nothing in it is executed: arrays of objects are refused.

    Args:
      path: of the file; ~ is expanded.
      dim: how many features the classifier has; None: any number.
      **notes: what the file must say where it says anything of that name.

    Raises:
      ConfigurationError: no such file; other keys, shapes or notes; objects; NaN.
    """
    path = Path(path).expanduser()
    try:
        contents = small_files.read_arrays(path)
    except FileNotFoundError:
        raise ConfigurationError(
            f"there are no statistics at {path}: correct the path, or leave it out and "
            "they are computed"
        ) from None
    except Exception as error:  # whatever NumPy and zipfile say of damage
        raise ConfigurationError(
            f"the statistics {path} cannot be read ({first_line(error)}): they must be "
            "an .npz of numbers, mu [d] and sigma [d, d]"
        ) from error
    for name, expected in {"protocol": PROTOCOL, **notes}.items():
        if name in contents and str(contents[name]) != str(expected):
            raise ConfigurationError(
                f"the statistics {path} are of {name} {str(contents[name])!r}, and "
                f"{str(expected)!r} is asked for: use those of the same {name}"
            )
    cause = _fault_of_moments(contents, dim)
    # Another program's keys mean other things.
    ours = {"features", "labels"} if "protocol" in contents else set()
    features, labels = (
        contents[name] if name in ours & contents.keys() else None
        for name in ("features", "labels")
    )
    if cause is None and features is not None:
        cause = _fault_of_features(features, labels, len(contents["mu"]))
    if cause is not None:
        raise ConfigurationError(f"the statistics {path} {cause}")
    mean: np.ndarray = contents["mu"].astype(np.float64)
    covariance: np.ndarray = contents["sigma"].astype(np.float64)
    return FeatureStatistics(FeatureMoments(mean, covariance), features, labels)


def _fault_of_moments(contents: dict[str, np.ndarray], dim: int | None) -> str | None:
    """What is wrong with mu and sigma, and the remedy."""
    if not {"mu", "sigma"} <= contents.keys():
        found = ", ".join(contents) or "nothing"
        return f"hold {found}: they must hold mu and sigma"
    mean, covariance = contents["mu"], contents["sigma"]
    if not all(np.issubdtype(x.dtype, np.floating) for x in (mean, covariance)):
        return f"are {mean.dtype} and {covariance.dtype}: mu and sigma must be floats"
    if mean.ndim != 1 or covariance.shape != 2 * mean.shape or len(mean) == 0:
        return (
            f"have mu {mean.shape} and sigma {covariance.shape}: they must be [d] and "
            "[d, d]"
        )
    if dim is not None and len(mean) != dim:
        return (
            f"are of {len(mean)} features, and the classifier has {dim}: use those of "
            "the same classifier"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        return "hold NaN or Inf: compute them again"
    asymmetry = np.abs(covariance - covariance.T).max()
    if asymmetry > 1e-4 * np.abs(covariance).max() or covariance.diagonal().min() < 0:
        return (
            "have a sigma that is no covariance (it is not symmetric, or has negative "
            "variances): compute it again"
        )
    return None


def _fault_of_features(
    features: np.ndarray, labels: np.ndarray | None, dim: int
) -> str | None:
    if (
        features.ndim != 2
        or features.shape[1] != dim
        or not np.issubdtype(features.dtype, np.floating)
        or not np.isfinite(features).all()
        or (labels is not None and labels.shape != features.shape[:1])
    ):
        return "have features that do not fit their moments: compute them again"
    return None
