"""Markdown of the checkout that lies outside of this folder, as pages of the site.

On GitHub `../benchmarks/README.md` is the file itself. The site has its text on a page
of its own, and links lead there.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # The tests have no Sphinx.
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {
    "benchmarks/README.md": "benchmarks",
    "CHANGELOG.md": "changes",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
}
"""A file of the checkout → the page that has its text."""

_LINK = re.compile(r"\]\((?![a-z]+:|#|/)([^)#\s]+)")


def with_links(text: str, folder: str) -> str:
    """A text whose links lead to pages of the site.

    Args:
      text: Markdown.
      folder: from which its links are relative, below the checkout.
    """

    def led(match: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(folder, match[1]))
        if target in PAGES:
            return f"](/{PAGES[target]}.md"
        if target.startswith("docs/"):
            return f"](/{target.removeprefix('docs/')}"
        return match[0] if folder.startswith("docs") else f"](../{target}"

    return _LINK.sub(led, text)


def _read(app: "Sphinx", page: str, source: list[str]) -> None:
    file = next((file for file, name in PAGES.items() if name == page), None)
    if file:
        app.env.note_dependency(str(ROOT / file))
        text = (ROOT / file).read_text("utf-8")
        source[0] = with_links(text, str(Path(file).parent))
    elif app.env.doc2path(page).suffix == ".md":
        folder = os.path.normpath(os.path.join("docs", os.path.dirname(page)))
        source[0] = with_links(source[0], folder)


def setup(app: "Sphinx") -> dict[str, Any]:
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
