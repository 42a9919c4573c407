"""bin/prepare: pictures, once, at their size, as a data set to train on.

bin/prepare --images=DIR --output=DIR --size=N
    a folder of pictures, or a folder of one folder for each class
bin/prepare --tfds=imagenet2012 --test_split=validation --output=DIR --size=N
    a data set of TFDS

The central square of each picture is resized, by the averages of areas where it
shrinks, and kept as 8-bit RGB. What cannot be read is set aside and listed in
skipped.txt. After an interruption of any kind the same command goes on.
"""

import contextlib
import shlex
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from logan_tf import installation, progress
from logan_tf.cli import app
from logan_tf.cli.running import interruption
from logan_tf.data import manifest
from logan_tf.data.preparation import folders, image_files
from logan_tf.errors import ConfigurationError, PreemptedError
from logan_tf.runs import run_lock

if TYPE_CHECKING:
    from logan_tf.data.preparation.writing import PictureSource, Preparation

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "images", None, "Folder of pictures, or of a folder for each class."
)
flags.DEFINE_string("output", None, "Folder to make; it becomes a recipe's data_dir.")
flags.DEFINE_integer("size", None, "Side of the pictures in pixels.")
flags.DEFINE_float("test_share", 0.0, "Share of the files to hold out, by their names.")
flags.DEFINE_integer(
    "shards",
    None,
    "Into how many files, about; None: 1,024 pictures a file.",
    upper_bound=app.MOST,
)
flags.DEFINE_integer(
    "max_pixels",
    image_files.MAX_PIXELS,
    "Larger pictures are set aside undecoded; of 2^26, one takes about 1 GiB.",
    upper_bound=app.MOST,
)
flags.DEFINE_string("tfds", None, "A data set of TFDS instead of --images.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data.")
flags.DEFINE_string("split", "train", "TFDS's split to train on.")
flags.DEFINE_string("test_split", "test", "TFDS's split to hold out; empty: none.")

_OF_TFDS = ("data_dir", "split", "test_split")
_OWN = 64  # pixels of gin/images_logan.gin
_TRAINED = (16, 32, _OWN, 128, 256)  # of its networks
_SMALL = (32, 48, 64)  # of gin/images_small.gin, of which 32 is its own
_OF_FILES = ("test_share", "max_pixels")


def main() -> None:
    """Makes the data set, or goes on with it."""
    output = _checked_flags()
    images = _images()
    listing = folders.find(images) if images else None
    if listing:
        print("\n".join([f"{images}: {_found(listing)}", *listing.notes]))
    app.import_tensorflow(_start)
    from logan_tf.data.preparation import sources, writing

    source: PictureSource
    if images and listing:
        source = sources.FolderSource(
            images, listing, FLAGS.size, FLAGS.test_share, FLAGS.max_pixels
        )
    else:
        source = sources.TFDSSource(
            FLAGS.tfds, FLAGS.size, FLAGS.split, FLAGS.test_split, FLAGS.data_dir
        )
    with _writing(output), image_files.pixel_cap(FLAGS.max_pixels), _interruptible():
        prepared = writing.Preparation(source, output, FLAGS.size, FLAGS.shards)
        found = prepared.finished()
        if found:
            print(f"{output} is complete, nothing is left to do")
        else:
            found = _run(prepared)
    _report(output, found)


def _checked_flags() -> Path:
    if (FLAGS.images is None) == (FLAGS.tfds is None):
        raise ConfigurationError(
            "which pictures? Give --images=DIR, or the name of a data set with --tfds"
        )
    for name in _OF_TFDS if FLAGS.images else _OF_FILES:
        if not FLAGS[name].using_default_value:
            other = "--tfds" if FLAGS.images else "--images"
            raise ConfigurationError(f"--{name} is for {other}: leave it out")
    if not FLAGS.output:
        raise ConfigurationError("where to? Give a new folder with --output=DIR")
    if FLAGS.size is None or not 1 <= FLAGS.size <= manifest.MOST_PIXELS:
        raise ConfigurationError(
            f"--size is {FLAGS.size}: give the side of the pictures, 1 to "
            f"{manifest.MOST_PIXELS} pixels, as --size=128"
        )
    if not 0 <= FLAGS.test_share < 1:
        raise ConfigurationError(
            f"--test_share is {FLAGS.test_share}: give a share from 0 to below 1"
        )
    for name in ("shards", "max_pixels"):
        if FLAGS[name].value is not None and FLAGS[name].value < 1:
            raise ConfigurationError(f"--{name} must be 1 or more")
    output = Path(FLAGS.output)
    images = _images()
    if images and output.resolve().is_relative_to(images.resolve()):
        raise ConfigurationError(
            f"--output {output} is inside of --images: choose another folder"
        )
    return output


def _images() -> Path | None:
    return Path(FLAGS.images) if FLAGS.images else None


def _start() -> None:
    """The accelerators are a training's, which may be running."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # Another command has started them.
        tf.config.set_visible_devices([], "GPU")


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    """This process alone writes to the folder, which is made if it is missing."""
    with contextlib.ExitStack() as stack:
        try:
            output.mkdir(parents=True, exist_ok=True)
            if user := run_lock.holder(output):
                raise ConfigurationError(
                    f"{output} is in use by {user}: wait for it, or choose another "
                    "--output"
                )
            stack.enter_context(run_lock.held(output))
        except OSError as error:
            raise ConfigurationError(
                f"{output} cannot be written to ({error.strerror}): choose another "
                "--output"
            ) from error
        yield


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and its like end the block as Ctrl-C does: to go on later."""
    end = signal.default_int_handler
    before = {each: signal.signal(each, end) for each in interruption.heeded()}
    try:
        yield
    except KeyboardInterrupt as error:
        raise PreemptedError("interrupted: the same command goes on") from error
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _run(prepared: "Preparation") -> manifest.Manifest:
    total = sum(file.stop - file.start for file in prepared.files)
    with progress.bar(total=total, unit=" pictures") as bar:

        def written(num: int, is_new: bool) -> None:
            # What was there before would count as this process's speed.
            if not is_new:
                bar.initial += num
            bar.update(num)

        return prepared.run(written)


def _found(listing: folders.Listing) -> str:
    text = _counted(len(listing.names), "picture")
    if listing.class_names:
        text += f" in {_counted(len(listing.class_names), 'class')}"
    return text + _ignored(listing.ignored)


def _ignored(ignored: Counter[str]) -> str:
    if not ignored:
        return ""
    kinds = ", ".join(f"{n:,} {name}" for name, n in ignored.most_common(5))
    rest = ", ..." if len(ignored) > 5 else ""
    return f"; ignored: {_counted(sum(ignored.values()), 'other file')} ({kinds}{rest})"


def _counted(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def _report(output: Path, found: manifest.Manifest) -> None:
    train, test = (found.splits[split] for split in manifest.SPLITS)
    files = [*train.files, *test.files]
    size = sum(file.bytes for file in files) / 2**20
    print(
        f"{output}: {_counted(train.examples, 'picture')} of {found.size}x{found.size} "
        f"to train on, {test.examples:,} held out; {size:,.1f} MiB in "
        f"{_counted(len(files), 'file')}"
    )
    if found.skipped:
        print(
            f"{_counted(found.skipped, 'picture')} set aside, unusable: "
            f"{output / 'skipped.txt'} says why"
        )
    if found.enlarged:
        print(f"{_counted(found.enlarged, 'picture')} enlarged, for being smaller")
    counts = zip(found.class_names, train.class_counts, strict=False)
    if empty := [name for name, num in counts if num == 0]:
        print(f"{_counted(len(empty), 'class')} without a picture, first {empty[0]}")
    laptop = _on_a_laptop(output, found) if found.size in _SMALL else None
    if laptop and found.size in _TRAINED:
        print(installation.as_typed(f"on a laptop: {laptop}"))
        laptop = None
    print(installation.as_typed(f"next: {laptop or _training(output, found)}"))


def _on_a_laptop(output: Path, found: manifest.Manifest) -> str:
    statements = [f"data_dir = {str(output)!r}"]
    if found.size != _SMALL[0]:
        statements.append(f"image_size = {found.size}")
    return _command("images_small", statements)


def _training(output: Path, found: manifest.Manifest) -> str:
    """The command that trains on it; of other sizes, what a recipe needs."""
    statements = [f"data_dir = {str(output)!r}"]
    if found.size not in _TRAINED:
        return (
            f"a recipe of your own for {found.size}x{found.size} pictures that "
            f"includes parts/images.gin, with {statements[0]}"
        )
    if found.size != _OWN:
        statements += [f"image_size = {found.size}"]
        statements += [f"attention_size = {found.size // 2}"]
    if found.class_names:
        statements.append(f"num_classes = {len(found.class_names)}")
    return _command("images_logan", statements)


def _command(recipe: str, statements: list[str]) -> str:
    given = (f"--gin_param={shlex.quote(each)}" for each in statements)
    return " ".join([f"bin/train --gin_file=gin/{recipe}.gin", *given])


if __name__ == "__main__":
    app.run(main, __doc__ or "")
