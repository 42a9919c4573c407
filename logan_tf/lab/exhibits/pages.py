"""What an exhibit writes: tables with what they mean, and the same as numbers."""

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from logan_tf import atomic_file, versions
from logan_tf.studies import tables


class Section(NamedTuple):
    """A table.

    Attributes:
      heading: what is in it; a sentence.
      rows: by column, text or numbers.
    """

    heading: str
    rows: Sequence[dict[str, Any]]


def write(folder: Path, title: str, sections: Sequence[Section]) -> None:
    """Writes table.md and results.json."""
    parts = [f"# {folder.name}: {title}"]
    for section in sections:
        shown = [{k: _shown(v) for k, v in row.items()} for row in section.rows]
        parts += [section.heading, tables.as_table(shown)]
    atomic_file.write_text(folder / "table.md", "\n\n".join(parts) + "\n")
    found = {
        "study": folder.name,
        "versions": {
            "python": platform.python_version(),
            **versions.installed("tensorflow", "keras"),
        },
        "tables": [section._asdict() for section in sections],
    }
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    atomic_file.write_text(folder / "results.json", f"{text}\n")


def _shown(value: Any) -> str:
    """Lists are values over seeds."""
    if isinstance(value, list):
        return tables.summary(value)
    return value if isinstance(value, str) else f"{value:.4g}"
