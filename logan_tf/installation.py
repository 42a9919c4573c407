"""Where this package lies: in a checkout, or installed without `bin` and `gin`.

An installed package carries recipes, receipts and pretrained generators inside
(`setup.py`), and has one command, `logan-tf`, for all of `bin`.
"""

import os
import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IS_CHECKOUT = (_PACKAGE.parent / "bin" / "train").is_file()

ROOT = _PACKAGE.parent
"""What the package lies in; Python finds it there."""

RECIPES = ROOT / "gin" if _IS_CHECKOUT else _PACKAGE / "recipes"
"""The recipes; parts/ and ablations/ are folders of it."""

RECEIPTS = ROOT / "docs" / "receipts" if _IS_CHECKOUT else _PACKAGE / "receipts"
"""Evaluations that commands compare with."""

RESULTS = ROOT / "docs" / "results" if _IS_CHECKOUT else None
"""The studies that were run, a folder each; an installed package has none."""

PRETRAINED = ROOT / "pretrained" if _IS_CHECKOUT else _PACKAGE / "pretrained"
"""Small generators, each a SavedModel that `make pretrained` made."""

COMMANDS = (
    "train",
    "evaluate",
    "sample",
    "export",
    "report",
    "prepare",
    "doctor",
    "reproduce",
    "benchmark",
)
"""Scripts of `bin`, in the order in which people need them."""

_COMMAND = re.compile(rf"(?<![\w/.])bin/(?=(?:{'|'.join(COMMANDS)})\b)")


def as_typed(text: str, is_checkout: bool = _IS_CHECKOUT) -> str:
    """A text that says `bin/train`, with commands as they are typed here.

    Args:
      text: of any length.
      is_checkout: whether there is a `bin`.
    """
    return text if is_checkout else _COMMAND.sub("logan-tf ", text)


def cache_dir() -> Path:
    """$LOGAN_TF_CACHE, else $XDG_CACHE_HOME/logan_tf, else ~/.cache/logan_tf."""
    if own := os.environ.get("LOGAN_TF_CACHE"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "logan_tf"
    return Path.home() / ".cache" / "logan_tf"
