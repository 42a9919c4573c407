"""Image files of any kind, found in a folder and read as 8-bit RGB.

Imports no TensorFlow: a folder that cannot work is refused at once.
"""

import collections
import contextlib
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from logan_tf.errors import ConfigurationError

MAX_PIXELS = 2**26  # 8192x8192
# None that runs a program (EPS), and none of more than pixels (PSD).
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
# Files that somebody takes for pictures; some of their formats can only be reported.
_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "gif", "bmp", "dib"),
        *("tif", "tiff", "webp", "ppm", "pgm", "pbm", "pnm"),
        *("avif", "heic", "heif", "jp2", "jxl", "psd", "svg", "ico"),
    )
)


class UnusableError(Exception):
    """A file that cannot become a picture; the text says why."""


class Listing(NamedTuple):
    """The image files of a folder.

    Attributes:
      names: paths below the folder, sorted.
      sizes: of the files in bytes.
      labels: the class of each; 0 without classes.
      class_names: of the subfolders, sorted; empty without classes.
      ignored: other files, counted by suffix.
    """

    names: list[str]
    sizes: list[int]
    labels: list[int]
    class_names: list[str]
    ignored: collections.Counter[str]


def find(folder: Path) -> Listing:
    """Lists the image files of a folder, or of its subfolders, which are the classes.

    A class folder may have folders of its own. Files are chosen by their suffix; names
    that begin with a dot are ignored. Links are followed.

    Raises:
      ConfigurationError: no such folder; it has no pictures, or some beside others in
        subfolders.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder {folder}: give the pictures' folder with --images=DIR"
        )
    ignored: collections.Counter[str] = collections.Counter()
    try:
        names = sorted(_walk(folder, ignored))
        sizes = [_size(folder / name) for name in names]
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be listed ({error}): make all of it readable"
        ) from error
    parts = [name.split(os.sep, 1) for name in names]
    loose = [name for name, part in zip(names, parts, strict=True) if len(part) == 1]
    classes = sorted({part[0] for part in parts if len(part) > 1})
    if not names:
        raise ConfigurationError(
            f"{folder} has no image files ({sum(ignored.values())} others): give a "
            "folder of pictures, or of one folder for each class"
        )
    if loose and classes:
        raise ConfigurationError(
            f"{folder} has pictures ({readable(loose[0])}) beside folders of pictures "
            f"({readable(classes[0])}): move them into a folder of their own"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [numbers.get(part[0], 0) for part in parts]
    return Listing(names, sizes, labels, list(map(readable, classes)), ignored)


def readable(name: str) -> str:
    """A file's name as one line of UTF-8."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@contextlib.contextmanager
def pixel_cap(max_pixels: int) -> Iterator[None]:
    """In this context Pillow opens no picture of more pixels, of any format.

    It looks at the header. Its other warnings are about pictures that it reads. The
    setting is the whole process's: enter it before any thread reads.
    """
    Image.init()  # Not by the first of many threads.
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def read(path: Path) -> np.ndarray:
    """The first frame of an image file; to be called within `pixel_cap`.

    Turned as its EXIF orientation says, transparency laid over white, 16 bits scaled to
    8, CMYK and palettes converted.

    Returns:
      uint8 [height, width, 3].

    Raises:
      UnusableError: the file is no picture, damaged or too large.
    """
    try:
        if not path.is_file():
            raise UnusableError("no file, or a link to none")
        with Image.open(path, formats=_FORMATS) as image:
            return np.asarray(_to_rgb(_upright(image)))
    except UnusableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        cap = Image.MAX_IMAGE_PIXELS
        raise UnusableError(
            f"more than {cap:,} pixels (raise --max_pixels if you trust it)"
        ) from error
    except UnidentifiedImageError as error:
        empty = path.stat().st_size == 0
        raise UnusableError(
            "empty file"
            if empty
            else "no JPEG, PNG, GIF, BMP, TIFF, WebP or PNM, or a broken header"
        ) from error
    except Exception as error:  # Pillow's readers raise anything on a damaged file.
        text = " ".join(str(error).split()) or type(error).__name__
        raise UnusableError(f"damaged: {text[:120]}") from error


def _walk(folder: Path, ignored: collections.Counter[str]) -> Iterator[str]:
    """Paths of image files below a folder; counts the others."""

    def fail(error: OSError) -> None:
        raise error

    seen = set()
    for parent, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in seen:  # A circle of links.
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # In order: which of two paths to a folder comes first must not be chance.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = os.path.relpath(parent, folder)
        prefix = "" if below == os.curdir else below + os.sep
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith(".") or suffix not in _SUFFIXES:
                ignored[readable(suffix or name)] += 1
            else:
                yield prefix + name


def _size(path: Path) -> int:
    """In bytes; 0 of what is no file."""
    try:
        status = path.stat()
    except OSError:  # A link to nothing; reading it will say so.
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Garbled EXIF: the pixels are as they are.
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise UnusableError("pixels are floats, which have no fixed range")
    if image.mode.startswith("I"):  # 16 bits of gray, or 32.
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise UnusableError("pixels have more than 16 bits")
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    elif image.has_transparency_data:
        colors = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, colors)
    return image.convert("RGB")
