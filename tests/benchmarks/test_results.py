"""Two results compared, the table of a sweep, and files that are no results."""

import math

import pytest

from logan_tf.benchmarks import results, sweep
from logan_tf.errors import BadDataError, ConfigurationError


def _results(low, median, high, **identity):
    seconds = {"median": median, "low": low, "high": high, "repeats": 9}
    return {
        "identity": {"recipe": "r", "date": "2026-01-01"} | identity,
        "steps": {"ngd": {"seconds": seconds, "images_per_second": 64 / median}},
        "operations": {"ngd": {"floor": "", "floor_operations": 1, "work": 1.5}},
        "loop": {"bare": seconds, "loop_over_bare": 1.0},
    }


def test_a_difference_beyond_the_spread():
    old, new = _results(0.9, 1.0, 1.1), _results(1.7, 2.0, 2.2)
    step, bare, work = results.compare(old, new)
    assert step["ratio"] == 2.0
    assert step["range"] == "1.545 to 2.444"  # 1.7 / 1.1 to 2.2 / .9
    assert step["beyond the spread"] == bare["beyond the spread"] == "yes"
    assert work["ratio"] == 1.0
    assert work["beyond the spread"] == ""


def test_a_difference_within_the_spread():
    rows = results.compare(_results(0.9, 1.0, 1.1), _results(1.0, 1.05, 1.2))
    assert {row["beyond the spread"] for row in rows} == {""}


def test_what_differs_between_the_machines():
    old, new = _results(1, 1, 1), _results(1, 1, 1, date="2026-02-02", cores=4)
    assert results.differences(old, new) == [
        "date: 2026-01-01 → 2026-02-02",
        "cores: None → 4",
    ]


def test_rows_of_a_table():
    found = _results(0.9, 1.0, 1.1)
    found["steps"]["baseline"] = {
        "seconds": {"median": 0.5, "low": 0.5, "high": 0.5, "repeats": 9},
        "images_per_second": 128,
    }
    found["operations"]["ngd"]["floor_operations"] = 3e9
    row = results.step_rows(found)[0]
    assert row["variant"] == "ngd"
    assert row["ms"] == 1000
    assert row["ratio"] == 2.0
    assert row["floor GFLOP/s"] == 3.0


_GARBLED = (
    '{"identity": {}, "steps": []}',
    '{"identity": {}, "steps": {"logan": {"seconds": {"median": "1"}}}}',
    '{"identity": {}, "operations": {"logan": {"work": null}}}',
    '{"identity": {}, "operations": {"logan": {"work": 0}}}',
)


def test_files(tmp_path):
    path = tmp_path / "results.json"
    with pytest.raises(ConfigurationError, match="no results at"):
        results.read(path)
    results.write(path, _results(1, 2, 3))
    assert results.read(path) == _results(1, 2, 3)
    for text in ("[1]", "{}", "{", "[" * 100_000, '{"identity": 1}', *_GARBLED):
        path.write_text(text)
        with pytest.raises(BadDataError, match="measure anew"):
            results.read(path)


def test_axes_of_a_sweep():
    assert sweep.Axis.parse("batch_size = 16, 32,64") == ("batch_size", (16, 32, 64))
    assert sweep.Axis.parse("width=8") == ("width", (8,))
    for text in ("width", "width = 0", "width = a", "8 = 8", "width = 1.5", "width ="):
        with pytest.raises(ConfigurationError, match="no macro with positive integers"):
            sweep.Axis.parse(text)


def test_a_sweeps_exponent_and_picture(tmp_path):
    def steps(scale):
        return {
            name: {
                "seconds": {"median": factor * scale**1.5},
                "images_per_second": 1.0,
            }
            for name, factor in (("baseline", 0.01), ("ngd", 0.02))
        }

    axis = sweep.Axis("width", (4, 8, 32))
    rows = [sweep.row(axis, value, steps(value)) for value in axis.values]
    assert rows[0]["ratio"] == 2.0
    assert math.isclose(rows[0]["baseline ms"], 80)
    assert math.isclose(sweep.slope(rows, "ngd"), 1.5)
    sweep.plot(tmp_path / "sweep.png", rows, "recipe")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
