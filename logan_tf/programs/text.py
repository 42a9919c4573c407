"""StableHLO text without what no reader needs.

TensorFlow writes where in the source each operation comes from, and functions that
nothing calls: half of the text of a large training step.
"""

import re
from collections.abc import Iterator

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_DEPTH = 4  # Of parentheses in a location, at most.


def _parentheses(depth: int) -> str:
    inner = rf"|{_parentheses(depth - 1)}" if depth > 1 else ""
    return rf"\((?:[^()\"]|{_QUOTED}{inner})*\)"


_LOCATION = re.compile(r" loc" + _parentheses(_DEPTH))
_DEFINITION = re.compile(r"^#loc.*\n", re.MULTILINE)
_FUNCTION = re.compile(r"^  func\.func .*?@([\w.$-]+|" + _QUOTED + r")\(", re.MULTILINE)
_CALLED = re.compile(r"@([\w.$-]+|" + _QUOTED + r")")
_ATTRIBUTES = re.compile(r"^(module @\S+ attributes \{)", re.MULTILINE)
_MAIN = "main"


def slim(text: str) -> str:
    """The same module: no source locations, no functions that `main` does not reach."""
    text = _LOCATION.sub("", _DEFINITION.sub("", text))
    head, functions, tail = _parts(text)
    needed, waiting = {_MAIN}, [_MAIN]
    while waiting:
        called = set(_CALLED.findall(functions[waiting.pop()])) & functions.keys()
        waiting += called - needed
        needed |= called
    return head + "".join(functions[n] for n in functions if n in needed) + tail


def _parts(text: str) -> tuple[str, dict[str, str], str]:
    """What comes before the functions, each of them by name, what comes after."""
    found = list(_FUNCTION.finditer(text))
    ends = [*(match.start() for match in found[1:]), text.rindex("\n}") + 1]
    functions = {
        match[1]: text[match.start() : end]
        for match, end in zip(found, ends, strict=True)
    }
    return text[: found[0].start()], functions, text[ends[-1] :]


def of_replicas(text: str, number: int) -> str:
    """The module as one that so many replicas run together."""
    if number == 1:
        return text
    attributes = f"mhlo.num_partitions = 1 : i32, mhlo.num_replicas = {number} : i32, "
    return _ATTRIBUTES.sub(rf"\g<1>{attributes}", text, count=1)


def signature(text: str) -> tuple[list[str], list[str]]:
    """The types of `main`'s inputs and outputs, as "2x3xf32"."""
    start = text.index("@main(")
    line = text[start : text.index("\n", start)]
    given, _, found = line.partition(" -> ")
    return list(_types(given)), list(_types(found))


def _types(part: str) -> Iterator[str]:
    return (match[1] for match in re.finditer(r"tensor<([^>]*)>", part))
