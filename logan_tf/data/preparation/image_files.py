"""Image files of any kind, read as 8-bit RGB."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 2**26  # 8192x8192
# None that runs a program (EPS), and none of more than pixels (PSD).
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")


class UnusableError(Exception):
    """A file that cannot become a picture; the text says why."""


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
