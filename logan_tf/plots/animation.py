"""A run's training as a film: the pictures of its fixed latents, one after the other.

Imports no TensorFlow.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from logan_tf import atomic_file
from logan_tf.errors import BadDataError

_MOST_FRAMES = 120  # about 20 s
_MILLISECONDS, _LAST_MILLISECONDS = 160, 2500
_STRIP = 36  # pixels of height above the picture, for the step
_FONT_SIZE = 22


def save(path: str | os.PathLike[str], pictures: Mapping[int, Path]) -> int:
    """Writes a GIF that repeats, each frame under the number of its step.

    Of more than 120 pictures that many are shown, at about equal distances, the first
    and the last among them.

    Args:
      path: of the GIF.
      pictures: PNGs of one size, by step.

    Returns:
      The number of frames.

    Raises:
      BadDataError: a file is no picture, or of another size than the first.
    """
    steps = sorted(pictures)
    places = np.linspace(0, len(steps) - 1, min(len(steps), _MOST_FRAMES)).round()
    chosen = [steps[int(place)] for place in places]
    frames = [_framed(pictures[step], f"step {step:,}") for step in chosen]
    for step, frame in zip(chosen, frames, strict=True):
        if frame.size != frames[0].size:
            raise BadDataError(
                f"{pictures[step]} is of another size than the pictures before it: "
                "move it elsewhere"
            )
    times = [_MILLISECONDS] * (len(frames) - 1) + [_LAST_MILLISECONDS]
    with atomic_file.replacing(path) as file:
        first, *rest = frames
        first.save(
            file,
            format="GIF",
            save_all=True,
            append_images=rest,
            duration=times,
            loop=0,
        )
    return len(frames)


def _framed(path: Path, text: str) -> Image.Image:
    """A picture under its title, with a palette of its own."""
    try:
        with Image.open(path, formats=["PNG"]) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise BadDataError(
            f"{path} cannot be read ({error}): remove it, or move it elsewhere"
        ) from error
    frame = ImageOps.expand(picture, (0, _STRIP, 0, 0), "white")
    font = ImageFont.load_default(_FONT_SIZE)
    place = (_STRIP // 4, _STRIP // 2)
    ImageDraw.Draw(frame).text(place, text, fill="black", font=font, anchor="lm")
    return frame.quantize(256, dither=Image.Dither.NONE)
