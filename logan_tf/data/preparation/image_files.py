"""Image files of any kind, read as 8-bit RGB."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

MAX_PIXELS = 2**26  # 8192x8192
# None that runs a program (EPS), and none of more than pixels (PSD).
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
_MOST_METADATA = 2**26  # bytes of text, XMP or a color profile in a PNG
_DIM = 2**12  # Pixels of 16 bits that are all below it are nearly black, as 8 bits.
_PHOTOMETRIC, _SAMPLE_FORMAT, _BITS = 262, 339, 258  # Tags of TIFF.
_WHITE_IS_ZERO, _SIGNED = 0, 2
# A transparent gray is given in the file's bits, and Pillow's pixels have eight.
_GRAY_STEPS = {"L;2": 85, "L;4": 17}


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
    # Metadata concerns no pixel; Pillow's own limit of 1 MiB takes it for damage.
    metadata = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = _MOST_METADATA
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
            PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = metadata


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
            _require_range(image)
            if image.format == "PNG" and "transparency" in image.info:
                _scale_transparency(image, path)
            is_negative, has_upper_bytes = _is_negative(image), _has_upper_bytes(image)
            pixels = np.asarray(_to_rgb(_upright(image)))
            if has_upper_bytes and pixels.max() < _DIM >> 8:
                raise UnusableError(_dim(f"less than {_DIM}"))
            return 255 - pixels if is_negative else pixels
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


def num_pixels(path: Path) -> int:
    """Those of a picture, by its header; 0 of what is none. Within `pixel_cap`."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return image.width * image.height
    except Exception:  # Reading it says why.
        return 0


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        is_upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        # Which copies a picture that it need not turn.
        return image if is_upright else ImageOps.exif_transpose(image)
    except Exception:  # Garbled EXIF: the pixels are as they are.
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = Image.fromarray(_eight_bits(image))
    elif image.has_transparency_data:
        colors = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, colors)
    return image if image.mode == "RGB" else image.convert("RGB")


def _require_range(image: Image.Image) -> None:
    """Refuses pixels of which nobody knows what black and white are."""
    if image.mode == "F":
        raise UnusableError("pixels are floats, which have no fixed range")
    if _tag(image, _BITS) == 16 and _tag(image, _SAMPLE_FORMAT) == _SIGNED:
        raise UnusableError("pixels are signed, which have no fixed range")


def _is_negative(image: Image.Image) -> bool:
    """A TIFF of which 0 is white; Pillow turns those of 8 bits and less itself."""
    is_wide = image.mode.startswith("I")
    return is_wide and _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO


def _has_upper_bytes(image: Image.Image) -> bool:
    """Opaque colors of 16 bits, of which Pillow keeps the upper 8."""
    rawmodes = "".join(str(tile.args) for tile in image.tile)
    return image.mode == "RGB" and "RGB;16" in rawmodes


def _dim(values: str) -> str:
    return f"pixels of 16 bits are {values}, nearly of one color: scale them to 65535"


def _tag(image: Image.Image, number: int) -> int | None:
    """Of a TIFF, for the first channel; None of anything else."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) else value


def _scale_transparency(image: Image.Image, path: Path) -> None:
    """Gives the transparent color of a PNG in the values that its pixels will have.

    Pillow keeps the upper bytes of 16-bit RGB, in which other colors look like it: the
    color becomes an alpha channel, by the lower bytes, which are read on their own.
    """
    key, rawmode = image.info["transparency"], image.tile[0].args
    if rawmode in _GRAY_STEPS:
        step = _GRAY_STEPS[rawmode]
        image.info["transparency"] = key * step & 255
    elif rawmode == "RGB;16B":
        del image.info["transparency"]
        with Image.open(path, formats=_FORMATS) as lower:
            lower.tile = [lower.tile[0]._replace(args="RGB;16L")]
            values = np.asarray(image) * np.uint16(256) + np.asarray(lower)
        is_opaque = (values != key).any(axis=-1)
        image.putalpha(Image.fromarray(is_opaque.astype(np.uint8) * 255))


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Gray of 16 bits, or of 32 that use no more, as uint8; white where transparent."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnusableError("pixels are negative or have more than 16 bits")
    if 0 < values.max() < _DIM:
        raise UnusableError(_dim(f"{values.max()} at most"))
    is_transparent = values == image.info.get("transparency", -1)
    return np.where(is_transparent, 255, (values + 128) // 257).astype(np.uint8)
