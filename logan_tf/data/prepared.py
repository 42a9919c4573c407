"""TFDS builders whose data is on disk, and what can go wrong on the way there."""

import contextlib
import difflib
import os
import random
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logan_tf.errors import BadDataError, ConfigurationError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


def find_builder(name: str, data_dir: str | None) -> "tfds.core.DatasetBuilder":
    """The TFDS builder of this name; reads and writes no data.

    Args:
      name: as TFDS knows it, 'cifar10' or 'dataset/config:version'; or 'digits'.
      data_dir: where TFDS keeps prepared data, ~ expanded; None is TFDS's own default.

    Raises:
      ConfigurationError: TFDS knows no such data set, configuration or version.
    """
    import tensorflow_datasets as tfds

    from logan_tf.data import digits_builder  # noqa: F401  Registers 'digits'.

    data_dir = data_dir and os.path.expanduser(data_dir)
    try:
        if tfds.core.naming.DatasetReference.from_tfds_name(name).namespace:
            # A namespace is somebody's repository, whose code TFDS fetches and runs.
            raise ConfigurationError(
                f"{name!r} names a data set outside of TFDS: prepare it with a script "
                "of yours, and name it alone, with data_dir."
            )
        return tfds.builder(name, data_dir=data_dir)
    except ConfigurationError:
        raise
    except tfds.core.DatasetNotFoundError as error:
        raise ConfigurationError(_unknown(name, data_dir)) from error
    except Exception as error:  # TFDS imports third-party code and raises anything.
        raise ConfigurationError(
            f"TFDS cannot set up {name!r} ({_first_line(error)}): correct the name, "
            "configuration or version."
        ) from error


def _unknown(name: str, data_dir: str | None) -> str:
    """Says what there is instead: of other versions on disk, or of like names."""
    import tensorflow_datasets as tfds

    root = tfds.core.Path(data_dir or tfds.core.constants.DATA_DIR)
    wanted = tfds.core.naming.DatasetReference.from_tfds_name(name).dataset_name
    there = [
        ":".join(path.parent.relative_to(root).as_posix().rsplit("/", 1))
        for depth in ("*", "*/*")
        for path in root.glob(f"{wanted}/{depth}/dataset_info.json")
    ]
    if there:
        return (
            f"{root} has {' and '.join(sorted(there))}, not {name!r}: name one of them"
        )
    known = tfds.list_builders(with_community_datasets=False)
    close = difflib.get_close_matches(name.lower(), known, n=3)
    hint = (
        f"did you mean {' or '.join(close)}?" if close else "see tfds.list_builders()."
    )
    return f"TFDS knows no data set {name!r}: {hint}"


def prepare_builder(name: str, data_dir: str | None) -> "tfds.core.DatasetBuilder":
    """The builder of this name with its data on disk, prepared there if need be.

    Several processes may prepare the same data at once: TFDS renames a finished
    directory into place, which succeeds for the first and raises for the others; these
    then use what the first has made.

    Raises:
      ConfigurationError: as `find_builder`; archives that only the user can download
        are missing.
      BadDataError: the data is not there and cannot be prepared.
    """
    builder = find_builder(name, data_dir)
    if builder.info.splits:  # Read from disk.
        return builder
    try:
        with _private_random_names():
            builder.download_and_prepare()
    except Exception as error:  # Sockets, disks, checksums, manual downloads.
        fresh = find_builder(name, data_dir)
        if fresh.info.splits:
            return fresh
        if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and _is_missing(error):
            raise ConfigurationError(_put_archives(name, builder)) from error
        place = builder.data_dir_root
        raise BadDataError(
            f"{name} is not in {place} and cannot be prepared ({_first_line(error)}): "
            "set data_dir to a writable directory or to a prepared copy, which "
            f"`tfds build {name} --data_dir=DIR` makes where there is a network."
        ) from error
    if builder.info.splits:
        return builder
    builder = find_builder(name, data_dir)  # Another process finished in the meantime.
    if builder.data_path.exists() and not builder.info.splits:
        raise BadDataError(
            f"{builder.data_dir} is incomplete: delete it to prepare {name} again."
        )
    return builder


def manual_remedy(builder: "tfds.core.DatasetBuilder") -> str:
    """What helps where a split's archive was missing as the data was prepared."""
    if not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        return ""
    return (
        f"; or put the archive of the missing one into {_manual_dir(builder)} and "
        f"delete {builder.data_dir}, to prepare all of it again"
    )


def _put_archives(name: str, builder: "tfds.core.DatasetBuilder") -> str:
    place = _manual_dir(builder)
    if builder.name == "imagenet2012":
        return (
            f"{name} must be downloaded by hand from https://image-net.org (you "
            "register there): put ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar "
            f"into {place} and give the same command again"
        )
    instructions = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
    return f"{name} must be downloaded by hand into {place}: {instructions}"


def _is_missing(error: Exception) -> bool:
    """Whether TFDS says by this that an archive is not where it should be."""
    import tensorflow as tf

    missing = (AssertionError, FileNotFoundError, tf.errors.NotFoundError)
    return isinstance(error, missing)


def _manual_dir(builder: "tfds.core.DatasetBuilder") -> str:
    """Where TFDS looks for archives of which it does not know the address."""
    return os.path.join(builder.data_dir_root, "downloads", "manual")


@contextlib.contextmanager
def _private_random_names() -> Iterator[None]:
    """Lets TFDS name its temporary directory by other numbers than the run's seed.

    It asks the `random` module; workers seeded alike would write into one directory.
    """
    state = random.getstate()
    random.seed()
    try:
        yield
    finally:
        random.setstate(state)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    text = text.rpartition('": ')[2] or text  # After TFDS's list of arguments.
    return textwrap.shorten(text.splitlines()[0], 120, placeholder=" ...").rstrip(".:")
