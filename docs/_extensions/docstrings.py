"""Docstrings say |f| and *x of mathematics and arguments; to reStructuredText they are
marks of its own. What is no mark here is escaped.
"""

import re
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"(`[^`]*`)")


def escaped(line: str) -> str:
    """A line whose bars and stars outside of `code` are characters."""
    parts = _CODE.split(line)
    parts[::2] = [re.sub(r"([|*])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def _escape(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list
) -> None:
    lines[:] = [escaped(line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    # Before napoleon (500), whose own stars are meant.
    app.connect("autodoc-process-docstring", _escape, priority=400)
    return {"parallel_read_safe": True}
