"""Docstrings as reStructuredText, and signatures of Keras's classes.

Docstrings say |f| and *x of mathematics and arguments, which are marks to
reStructuredText, and set examples and equations off by four spaces.
"""

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # The tests have no Sphinx.
    from sphinx.application import Sphinx

_CODE = re.compile(r"(`[^`]*`)")
_MODULE = re.compile(r"~?\b(?:\w+\.)+(?=[A-Z])")  # logan_tf.game.latent_rule.


def escaped(line: str) -> str:
    """A line whose bars and stars outside of `code` are characters."""
    parts = _CODE.split(line)
    parts[::2] = [re.sub(r"([|*])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def translated(lines: list[str]) -> Iterator[str]:
    """A docstring's lines, with indented paragraphs as they are, in a block of code."""
    literal = False
    before = ["", ""]
    for line in lines:
        indented = line.startswith("    ")
        if indented and not before[-1] and not before[-2].startswith(" "):
            literal = True
            yield from ("::", "")
        literal = literal and (indented or not line)
        yield line if literal else escaped(line)
        before = [*before[-1:], line] if line else [before[-1], line]


def _translate(
    app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = translated(lines)


def _sign(
    app: Any, what: str, name: str, of: Any, options: Any, given: str, returned: str
) -> tuple[str, str] | None:
    """Keras's classes have a `__new__` of any arguments before their `__init__`."""
    from sphinx.util.inspect import signature, stringify_signature

    if what != "class" or "__init__" not in vars(of) or "*args" not in (given or ""):
        return None
    parameters = list(signature(of.__init__).parameters.values())[1:]
    own = inspect.Signature(parameters)
    text = stringify_signature(own, show_return_annotation=False)
    return _MODULE.sub("", text), returned


def setup(app: "Sphinx") -> dict[str, Any]:
    # Before napoleon (500), whose own stars are meant.
    app.connect("autodoc-process-docstring", _translate, priority=400)
    app.connect("autodoc-process-signature", _sign)
    return {"parallel_read_safe": True}
