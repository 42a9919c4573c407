"""Pictures as data URIs, for a page that needs no other file.

Imports no TensorFlow.
"""

import base64
import io
import warnings
from pathlib import Path
from typing import NamedTuple

import PIL.Image

from logan_tf import small_files

_MOST_BYTES = 400_000  # of a picture as PNG; larger ones become JPEG
_QUALITY = 88
# What Pillow raises of damaged files.
_UNREADABLE = (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError)


class Inlined(NamedTuple):
    """A picture for an `img` element: the URI, and the size in pixels."""

    uri: str
    width: int
    height: int


def inline(path: Path, longest: int) -> Inlined | None:
    """Reads a picture.

    Args:
      path: of a PNG, or whatever Pillow reads.
      longest: the most pixels that its longer side may have; what is longer shrinks.

    Returns:
      The picture; None if there is none that can be read.
    """
    try:
        contents = small_files.read_bytes(path)
        with warnings.catch_warnings():
            # Of a size that no command of ours draws.
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            image = PIL.Image.open(io.BytesIO(contents))
            image.load()
    except (*_UNREADABLE, Warning):
        return None
    is_small = max(image.size) <= longest and len(contents) <= _MOST_BYTES
    if image.format == "PNG" and is_small:
        return _inlined("png", contents, image)
    image = image.convert("RGB")
    image.thumbnail((longest, longest), PIL.Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    # Neighboring pixels of stacked digits differ in color alone.
    image.save(buffer, "jpeg", quality=_QUALITY, subsampling=0)
    return _inlined("jpeg", buffer.getvalue(), image)


def _inlined(kind: str, contents: bytes, image: PIL.Image.Image) -> Inlined:
    encoded = base64.b64encode(contents).decode("ascii")
    return Inlined(f"data:image/{kind};base64,{encoded}", *image.size)
