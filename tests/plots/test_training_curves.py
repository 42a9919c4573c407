"""The lines of metrics as charts, whatever state the file is in."""

import json

import numpy as np
import pytest

from logan_tf import quantities
from logan_tf.plots import training_curves


@pytest.fixture
def read(tmp_path):
    """Rows and raw lines → the history in a file of them."""

    def history(*lines) -> training_curves.History:
        texts = [line if isinstance(line, bytes) else _line(line) for line in lines]
        (tmp_path / "metrics.jsonl").write_bytes(b"\n".join(texts))
        return training_curves.read(tmp_path / "metrics.jsonl")

    return history


def _line(row: dict) -> bytes:
    return json.dumps(row).encode()


def row(step: int, **values) -> dict:
    return {"step": step, "generator_loss": 1.0, "attempt": 0, **values}


def test_a_file_that_is_not_there(tmp_path):
    history = training_curves.read(tmp_path / "metrics.jsonl")
    assert (len(history.steps), history.garbled, history.attempt) == (0, 0, 0)
    assert history.rollbacks() == []
    assert training_curves.charts(history) == []


GARBLED = [
    b"}{", b'{"step"', b"\xff\xfe\x00", b"[1, 2]", b"3", b'"step"', b"null", b"{}",
    b'{"step": "7"}', b'{"step": 1.5}', b'{"step": true}', b'{"step": -1}',
    b'{"step": NaN}', b'{"step": Infinity}', b'{"step": 1%s}' % (b"0" * 200),
    b"[" * 100_000,
]  # fmt: skip


def test_garbled_lines_are_counted_and_left_out(read):
    history = read(row(1), *GARBLED, b"", row(2), b'{"step": 3, "generator')
    assert history.garbled == len(GARBLED) + 1
    assert history.steps.tolist() == [1, 2]


def test_of_many_lines_some_are_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [_line(row(step, generator_loss=step)) for step in range(1, 1004)]
    path.write_bytes(b"\n".join(lines))
    history = training_curves.read(path, most=100)
    assert history.every == 10
    assert history.steps.tolist() == [*range(10, 1001, 10), 1003]
    assert history.metrics["generator_loss"].tolist() == history.steps.tolist()
    for most in (1003, None):
        history = training_curves.read(path, most)
        assert (history.every, len(history.steps)) == (1, 1003)


def test_names_that_no_other_line_has_are_bounded(read):
    history = read(*({"step": step, f"name{step}": 1} for step in range(2000)))
    assert (len(history.steps), len(history.metrics)) == (2000, 499)
    assert np.isfinite(history.metrics["name7"]).sum() == 1


def test_lines_are_ordered_and_the_last_of_a_step_counts(read):
    history = read(row(20), row(10, generator_loss=2.0), row(20, generator_loss=3.0))
    assert history.steps.tolist() == [10, 20]
    assert history.metrics["generator_loss"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    "value", ["nan", None, [1], {}, float("nan"), float("inf"), 10**400, 1e200]
)
def test_what_is_no_number_that_can_be_drawn(value, read):
    history = read(row(1), row(2, generator_loss=value), row(3))
    np.testing.assert_array_equal(history.metrics["generator_loss"], [1, np.nan, 1])


def test_metrics_may_come_and_go(read):
    history = read(row(1, old=4.0), row(2), row(3, new=5.0, **{"a\ud800": 1.0}))
    np.testing.assert_array_equal(history.metrics["old"], [4, np.nan, np.nan])
    np.testing.assert_array_equal(history.metrics["new"], [np.nan, np.nan, 5])
    assert set(history.metrics) == {"generator_loss", "attempt", "old", "new"}


def test_attempts_and_where_they_began(read):
    history = read(*(row(step, attempt=step // 4) for step in range(1, 10)))
    assert history.attempt == 2
    assert history.rollbacks() == [4, 8]


def test_the_best_so_far_is_not_drawn(read):
    history = read(row(1), row(4, best_step=3, best_fid=7.5))
    assert [chart.title for chart in training_curves.charts(history)] == ["Losses"]


def test_charts_of_what_there_is(read):
    values = {"discriminator_loss": 2.0, "delta_z_norm": 0.0, "new_metric": 3.0}
    charts = training_curves.charts(read(row(1, **values), row(2, **values)))
    assert [chart.title for chart in charts] == ["Losses", "new_metric"]
    assert charts[0].summary == ["discriminator_loss 2", "generator_loss 1"]
    assert charts[1].summary == ["3"]


def test_every_metric_of_a_long_run_has_its_chart(read):
    names = [quantity.name for quantity in quantities.TRAINED]
    values = dict.fromkeys(names, 0.5)
    history = read(*(row(step, **values) for step in range(10, 20_000, 10)))
    charts = training_curves.charts(history)
    assert len(charts) == len({quantity.chart for quantity in quantities.TRAINED})
    said = "\n".join(line for chart in charts for line in chart.summary)
    assert all(f"{name} 0.5" in said for name in names)
    assert sum(len(chart.svg) for chart in charts) < 500_000
