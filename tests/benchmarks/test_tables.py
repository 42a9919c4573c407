"""Results as Markdown."""

import sys

import pytest

from logan_tf.benchmarks import results, tables

_SECONDS = {"median": 1.5, "low": 1.4, "high": 1.6, "repeats": 9}
_FOUND = {
    "identity": {
        "recipe": "r",
        "gin_params": ["width = 4"],
        "devices": ["a processor"],
        "cores": 2,
        "versions": {"tensorflow": "2.21.0"},
        "date": "2026-01-01",
        "commit": "abc",
        "jit_compile": True,
    },
    "steps": {
        "baseline": {"seconds": _SECONDS | {"median": 0.5}, "images_per_second": 128.0},
        "ngd": {"seconds": _SECONDS, "images_per_second": 1234.5},
    },
    "profile": {
        "baseline": [{"operation": "Mul", "number": 3.0, "share": 0.004}],
        "ngd": [
            {"operation": "_MklConv2D", "number": 12.0, "share": 0.9},
            {"operation": "Mul", "number": 7.0, "share": 0.02},
            {"operation": "Neg", "number": 7.0, "share": 0.001},
        ],
    },
    "loop": {"bare": _SECONDS, "loop_over_bare": 1.01234},
    "sweep": [{"setting": "width", "value": 4, "baseline ms": 80.0}],
}


def test_tables_of_a_file(tmp_path, monkeypatch, capsys):
    path = tmp_path / "results.json"
    results.write(path, _FOUND)
    monkeypatch.setattr(sys, "argv", ["tables", str(path)])
    tables.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"### {path}"
    assert lines[2] == (
        "r with `width = 4`: a processor, 2 cores, TensorFlow 2.21.0, 2026-01-01, "
        "commit abc, XLA"
    )
    for line in (
        "| variant | ms | quartiles | ratio | images/s |",
        "| baseline | 500 | 1400 to 1600 | 1 | 128 |",
        "| ngd | 1,500 | 1400 to 1600 | 3 | 1,234 |",
        "| _MklConv2D |  |  | 12 | 90.0 % |",
        "| Mul | 3 | 0.4 % | 7 | 2.0 % |",
        "| bare a step | 1500.00 ms |",
        "| loop over bare | 1.012 |",
        "| width | 4 | 80 |",
    ):
        assert line in lines
    assert not [line for line in lines if "Neg" in line]


def test_rows_that_lack_a_column():
    text = tables.markdown([{"a": 1}, {"b": 2.0}])
    assert text.splitlines() == ["| a | b |", "| --- | --- |", "| 1 |  |", "|  | 2 |"]


@pytest.mark.parametrize(
    ("value", "cell"), [(12345, "12,345"), (12345.6, "12,346"), (0.99896, "0.999")]
)
def test_numbers(value, cell):
    assert f"| {cell} |" in tables.markdown([{"x": value}])
