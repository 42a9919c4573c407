"""Results of bin/benchmark as the Markdown tables of benchmarks/README.md.

python -m logan_tf.benchmarks.tables benchmarks/*.json
"""

import sys
from collections.abc import Iterator, Mapping, Sequence

from logan_tf.benchmarks import results

_LEAST_SHARE = 0.01  # of a kind of operation, in some variant, to have a row


def of(found: results.Measurements) -> Iterator[str]:
    """One file's measurements: what identifies them, then a table for each."""
    yield _heading(found["identity"])
    if rows := results.step_rows(found):
        yield markdown(rows)
    if profiles := found.get("profile"):
        yield markdown(profile_rows(profiles))
    if "sweep" in found:
        yield markdown(found["sweep"])
    if "loop" in found:
        yield markdown(_loop_rows(found["loop"]))


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a Markdown table, columns in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(row.get(name)) for name in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def profile_rows(profiles: Mapping[str, Sequence[Mapping]]) -> list[dict[str, object]]:
    """A row a kind of operation: its number and its share of each variant's time.

    Args:
      profiles: by variant, the `Share`s of its operations as dicts.
    """
    by_kind: dict[str, dict[str, object]] = {}
    seen = []
    columns = [f"{name}: {what}" for name in profiles for what in ("number", "share")]
    for name, shares in profiles.items():
        for share in shares:
            kind = share["operation"]
            row = by_kind.setdefault(kind, {"operation": kind} | dict.fromkeys(columns))
            row[f"{name}: number"] = round(share["number"])
            row[f"{name}: share"] = f"{100 * share['share']:.1f} %"
            if share["share"] >= _LEAST_SHARE:
                seen.append(kind)
    return [by_kind[kind] for kind in dict.fromkeys(seen)]


def main() -> None:
    """Prints the tables of the files that are named."""
    for path in sys.argv[1:]:
        print(f"### {path}\n")
        print("\n\n".join(of(results.read(path))), end="\n\n")


def _heading(identity: Mapping) -> str:
    settings = ", ".join(f"`{given}`" for given in identity["gin_params"])
    return (
        f"{identity['recipe']}{' with ' + settings if settings else ''}: "
        f"{', '.join(identity['devices'])}, {identity['cores']} cores, TensorFlow "
        f"{identity['versions']['tensorflow']}, {identity['date']}, "
        f"commit {identity['commit']}"
        f"{', XLA' if identity.get('jit_compile') else ''}"
    )


def _loop_rows(loop: Mapping) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, value in loop.items():
        if isinstance(value, Mapping):
            rows.append(
                {"": f"{name} a step", "value": f"{1e3 * value['median']:.2f} ms"}
            )
        else:
            rows.append({"": name.replace("_", " "), "value": value})
    return rows


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
