"""Tables of the reference that the code makes: ```{from-code} recipes``` and so on.

`tables.py` has the tables; here they become a directive.
"""

from typing import Any

import tables
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class FromCode(SphinxDirective):
    """Puts one of `tables.TABLES` in its place, read as the page's own Markdown."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(tables.TABLES[self.arguments[0]]())


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("from-code", FromCode)
    return {"parallel_read_safe": True}
