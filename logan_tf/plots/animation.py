"""A run's training as a film: the pictures of its fixed latents, one after the other.

Imports no TensorFlow.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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
    steps = _chosen(sorted(pictures))
    frames: list[Image.Image] = []
    for step in steps:
        picture = _read(pictures[step])
        size = frames[0].size if frames else _framed_size(picture)
        if _framed_size(picture) != size:
            raise BadDataError(
                f"{pictures[step]} is of another size than the pictures before it: "
                "move it elsewhere"
            )
        frames.append(_framed(picture, f"step {step:,}"))
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


def _chosen(steps: list[int]) -> list[int]:
    count = min(len(steps), _MOST_FRAMES)
    places = np.linspace(0, len(steps) - 1, count).round().astype(int)
    return [steps[place] for place in places]


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise BadDataError(
            f"{path} cannot be read ({error}): remove it, or move it elsewhere"
        ) from error


def _framed_size(picture: Image.Image) -> tuple[int, int]:
    return picture.width, picture.height + _STRIP


def _framed(picture: Image.Image, text: str) -> Image.Image:
    """A picture under its title, with a palette of its own."""
    frame = Image.new("RGB", _framed_size(picture), "white")
    frame.paste(picture, (0, _STRIP))
    font = ImageFont.load_default(_FONT_SIZE)
    place = (_STRIP // 4, _STRIP // 2)
    ImageDraw.Draw(frame).text(place, text, fill="black", font=font, anchor="lm")
    return frame.quantize(256, dither=Image.Dither.NONE)
