"""Charts: what is drawn, and that it can stand in a page."""

import base64
from xml.etree import ElementTree

import numpy as np
import pytest

from logan_tf.plots import charts
from logan_tf.plots.charts import Line

STEPS = np.arange(10.0, 110, 10)


def texts(chart: charts.Chart) -> list[str]:
    elements = ElementTree.fromstring(chart.svg).iter(
        "{http://www.w3.org/2000/svg}text"
    )
    return [element.text or "" for element in elements]


@pytest.mark.parametrize("num", [1, 7, 250, 251, 1003])
def test_bins_hold_every_point_once(num):
    generator = np.random.default_rng(num)
    steps, values = np.arange(num) * 3.0, generator.normal(size=num)
    found = charts.decimate(steps, values, most=250)
    assert all(len(part) == min(num, 250) for part in found)
    starts = [num * index // len(found[0]) for index in range(len(found[0]))]
    bins = [
        slice(start, end) for start, end in zip(starts, [*starts[1:], num], strict=True)
    ]
    for part, of, statistic in zip(
        found,
        (steps, values, values, values),
        (np.mean, np.mean, min, max),
        strict=True,
    ):
        np.testing.assert_allclose(part, [statistic(of[bin_]) for bin_ in bins])


def test_a_spike_among_many_points_stays_visible():
    values = np.zeros(100_000)
    values[54_321] = 7.0
    assert max(charts.decimate(np.arange(1e5), values)[3]) == 7.0


def test_what_is_said_below_a_chart():
    lines = [Line("a", STEPS, -STEPS / 3), Line("b", STEPS, STEPS * 0 + 12345.6)]
    chart = charts.chart("Both", lines, note="two")
    minus = "\N{MINUS SIGN}"
    assert chart.summary == [
        f"a {minus}33.33 ({minus}33.33 to {minus}3.333)",
        "b 12,346",
    ]
    assert {"a", "b", "step", "20", "100"} <= set(texts(chart))
    assert charts.chart("a", lines[:1]).summary[0].startswith(minus)


def test_what_is_not_finite_is_left_out():
    nothing = Line("a", STEPS, STEPS * np.nan)
    assert charts.chart("nothing", [nothing]) is None
    assert charts.chart("nothing", []) is None
    some = Line("b", STEPS, np.where(STEPS > 50, np.inf, STEPS))
    assert charts.chart("some", [nothing, some]).summary == ["b 50 (10 to 50)"]


def test_a_scale_is_logarithmic_where_it_has_to_be():
    wide = charts.chart("wide", [Line("a", STEPS, 10.0 ** (STEPS / 10))])
    assert {"10000", "1e+08"} <= set(texts(wide))
    narrow = charts.chart("narrow", [Line("a", STEPS, STEPS)])
    assert {"20", "40", "60"} <= set(texts(narrow))
    signed = charts.chart("signed", [Line("a", STEPS, 10.0 ** (STEPS / 10) - 11)])
    assert "10000" not in texts(signed)


def test_rare_spikes_do_not_flatten_the_rest():
    steps, values = np.arange(1000.0), np.sin(np.arange(1000.0))
    values[500] = -5000.0
    chart = charts.chart("a", [Line("a", steps, values)])
    assert {"0.5", "1"} <= set(texts(chart))
    assert "5,000 to 1)" in chart.summary[0]
    values[::100] = -5000.0
    assert "0.5" not in texts(charts.chart("a", [Line("a", steps, values)]))


@pytest.mark.parametrize("value", [3e38, -3e38, 1e99, 1e-45, 0.0])
def test_numbers_of_any_size_are_drawn(value):
    for values in (STEPS * 0 + value, np.where(STEPS > 50, value, 1.0)):
        assert charts.chart("any", [Line("a", STEPS, values)]) is not None


def test_names_are_text_and_nothing_else():
    names = ["<script>alert(1)</script>", "$\\frac$", "a & b --> \"c\" 'd'"]
    chart = charts.chart('"><b>', [Line(name, STEPS, STEPS) for name in names])
    assert set(names) <= set(texts(chart))
    assert "<script" not in chart.svg
    assert base64.b64decode(chart.uri.partition(",")[2]).decode() == chart.svg


def test_a_drawing_depends_on_nothing_else():
    line = Line("a", STEPS, STEPS)
    assert charts.chart("A", [line]) == charts.chart("A", [line])


def test_rollbacks_are_marked():
    line = Line("a", STEPS, STEPS)
    plain, marked = (charts.chart("A", [line], marks=m).svg for m in ((), (30.0, 60.0)))
    assert marked.count("stroke-dasharray") == plain.count("stroke-dasharray") + 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"), (12345, "12,345"), (0.123456, "0.1235"), (1234.56, "1,235"),
        (5e-7, "5e\N{MINUS SIGN}07"), (2e12, "2e+12"), (-1.5, "\N{MINUS SIGN}1.5"),
        (None, "\N{EN DASH}"), (float("nan"), "\N{EN DASH}"), ([1], "\N{EN DASH}"),
        (True, "True"), ("a", "a"),
    ],
)  # fmt: skip
def test_values_as_text(value, shown):
    assert charts.shown(value) == shown
