"""Evaluations as tables: what stands beside what, and with which receipt."""

import dataclasses
import json

import PIL.Image
import pytest

from logan_tf.evaluation.receipts import Receipt, write_evaluation
from logan_tf.report import reported_evaluations


@pytest.fixture
def write(tmp_path):
    """Writes an evaluation as `bin/evaluate` does."""

    def written(step: int, variant: str = "", metrics=None, **receipt):
        receipt = {"protocol": "p/1", "num_samples": 1000, "seed": 0} | receipt
        write_evaluation(
            tmp_path / f"step-{step:08d}{variant}.json",
            Receipt(checkpoint_step=step, **receipt),
            metrics or {"fid": {"value": 300.0 / (1 + step)}},
        )

    return written


def table_of(tmp_path):
    (table,) = reported_evaluations.collect(tmp_path).tables
    return table


def test_a_folder_that_is_not_there(tmp_path):
    found = reported_evaluations.collect(tmp_path / "none")
    assert found == ([], [], [], None, [])


def test_rows_are_in_the_order_of_their_settings(write, tmp_path):
    write(20)
    write(100)
    write(20, "-latent5", latent_steps=5)
    write(20, "-truncation", truncation=0.5)
    write(3)
    settings = [
        [row.setting(name) for name in reported_evaluations.SETTINGS]
        for row in table_of(tmp_path).rows
    ]
    assert settings == [
        ["3", "0", "1", "1"],
        ["20", "0", "0.5", "1"],
        ["20", "0", "1", "1"],
        ["20", "5", "1", "1"],
        ["100", "0", "1", "1"],
    ]


def test_a_number_has_its_own_receipt(write, tmp_path):
    for step in (1, 2):
        write(step, checkpoint_hash=f"hash of {step}")
    first, second = table_of(tmp_path).rows
    assert first.receipt["checkpoint_hash"] == "hash of 1"
    assert second.receipt["checkpoint_hash"] == "hash of 2"
    assert {field.name for field in dataclasses.fields(Receipt)} == set(first.receipt)
    assert first.anchor != second.anchor


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": "p/2"}, {"num_samples": 10}, {"classifier": "c"},
        {"reference": "r"},
    ],
)  # fmt: skip
def test_only_what_can_be_compared_shares_a_table(other, write, tmp_path):
    write(1)
    write(2)
    write(2, "-other", **other)
    tables = reported_evaluations.collect(tmp_path).tables
    assert [len(table.rows) for table in tables] == [2, 1]


@pytest.mark.parametrize(
    ("metric", "cell"),
    [
        ({"value": 12}, ("12", "")),
        ({"value": 1234.5, "interval": [1000.25, 2e3]}, ("1,234", "[1,000, 2,000]")),
        ({"value": 0.5, "standard_error": 0.01}, ("0.5", "± 0.01")),
        ({"value": 0.5, "deviation": 0.25, "splits": 10}, ("0.5", "± 0.25")),
        ({"value": 0.5, "interval": [1], "per_class": [1, 2]}, ("0.5", "")),
        ({"value": [1, 2]}, ("\N{EN DASH}", "")),
    ],
)
def test_a_value_with_what_is_known_of_its_spread(metric, cell, write, tmp_path):
    write(1, metrics={"fid": metric})
    (row,) = table_of(tmp_path).rows
    assert row.cell("fid") == cell
    assert row.cell("another") == ("\N{EN DASH}", "")
    assert json.loads(row.details) == {"fid": metric}


def test_long_details_name_the_file(write, tmp_path):
    write(1, metrics={"fid": {"value": 1.0, "per_class": [0.5] * 5000}})
    (row,) = table_of(tmp_path).rows
    assert len(row.details) < 5000
    assert row.details.endswith("(all of it is in evaluations/step-00000001.json)")


def test_metrics_over_the_steps_are_of_one_setting(write, tmp_path):
    for step in (1, 2, 3):
        write(step)
    write(3, "-seed1", seed=0, metrics={"fid": {"value": 9e9}}, latent_steps=1)
    (chart,) = reported_evaluations.collect(tmp_path).charts
    assert (chart.title, chart.summary) == ("fid", ["75 (75 to 150)"])


def test_one_step_makes_no_curve(write, tmp_path):
    write(1)
    write(1, "-seeds5", num_seeds=5)
    assert reported_evaluations.collect(tmp_path).charts == []


class TestSweeps:
    def write(self, folder, step, axis, values):
        evaluations = [
            {
                "receipt": {"protocol": "p/1", "num_samples": 9, axis: value},
                "metrics": {"fid": {"value": 10.0 + value}},
            }
            for value in values
        ]
        path = folder / f"step-{step:08d}-curve-{axis}.json"
        path.write_text(json.dumps({"axis": axis, "evaluations": evaluations}))
        return path

    def test_the_newest_of_each_axis_with_its_picture(self, tmp_path):
        self.write(tmp_path, 1, "latent_steps", [3])
        path = self.write(tmp_path, 20, "latent_steps", [0, 10, 5])
        self.write(tmp_path, 20, "truncation", [1.0, 0.02])
        PIL.Image.new("RGB", (40, 30)).save(path.with_suffix(".png"))
        found = reported_evaluations.collect(tmp_path)
        latent, truncation = found.sweeps
        assert (latent.title, latent.axis) == (
            "Latent steps at step 20",
            "latent_steps",
        )
        assert [row.setting("latent_steps") for row in latent.rows] == [
            *("0", "10", "5")
        ]
        assert [row.cell("fid")[0] for row in latent.rows] == ["10", "20", "15"]
        assert len({row.anchor for row in latent.rows}) == 3
        assert latent.picture.width == 40
        assert truncation.title == "Truncation at step 20"
        assert truncation.picture is None
        assert (found.tables, found.unreadable) == ([], [])

    def test_of_a_step_the_one_with_a_name_of_its_own(self, tmp_path):
        """Which was measured after another, whose file it left."""
        later = self.write(tmp_path, 20, "truncation", [0.5])
        later.rename(later.with_stem(f"{later.stem}-0a1b2c3d"))
        self.write(tmp_path, 20, "truncation", [1.0])
        (sweep,) = reported_evaluations.collect(tmp_path).sweeps
        assert [row.setting("truncation") for row in sweep.rows] == ["0.5"]

    def test_an_empty_one(self, tmp_path):
        self.write(tmp_path, 1, "truncation", [])
        (sweep,) = reported_evaluations.collect(tmp_path).sweeps
        assert sweep.rows == []


def test_the_newest_neighbors(tmp_path):
    for step, width in ((5, 30), (10, 40)):
        path = tmp_path / f"step-{step:08d}-neighbors.png"
        PIL.Image.new("RGB", (width, 30)).save(path)
        path.with_suffix(".json").write_text(f'{{"step": {step}}}')
    found = reported_evaluations.collect(tmp_path)
    assert found.neighbors.step == 10
    assert found.neighbors.picture.width == 40
    assert found.neighbors.details == '{"step": 10}'
    assert (found.tables, found.unreadable) == ([], [])


@pytest.mark.parametrize(
    "contents",
    [
        b"", b"{ broken", b"\xff\xfe", b"3", b"[]", b"null", b"{}", b'{"metrics": {}}',
        b'{"receipt": [], "metrics": {}}', b'{"receipt": {}, "metrics": []}',
        b'{"receipt": {}, "metrics": {"fid": 3}}',
        b'{"receipt": {}, "metrics": {"fid": {}}}',
        b'{"axis": "truncation"}', b'{"axis": "truncation", "evaluations": 3}',
        b'{"axis": "truncation", "evaluations": [3]}',
    ],
)  # fmt: skip
def test_what_is_no_evaluation_is_named(contents, write, tmp_path):
    write(1)
    (tmp_path / "step-00000002.json").write_bytes(contents)
    found = reported_evaluations.collect(tmp_path)
    assert found.unreadable == ["step-00000002.json"]
    assert len(found.tables) == 1


def test_receipts_of_other_versions_are_shown(tmp_path):
    contents = {"receipt": {"new": 1}, "metrics": {"fid": {"value": 2.0}}}
    (tmp_path / "step-00000007-new.json").write_text(json.dumps(contents))
    (row,) = table_of(tmp_path).rows
    assert row.receipt == {"new": 1}
    nothing = "\N{EN DASH}"
    assert row.setting("latent_steps") == nothing
    assert reported_evaluations.collect(tmp_path).charts == []


def test_real_data_stand_beside_checkpoints(write, tmp_path):
    write(3)
    write(4)
    receipt = Receipt(protocol="p/1", num_samples=1000, seed=0, subject="real data")
    write_evaluation(tmp_path / "real.json", receipt, {"fid": {"value": 2.0}})
    rows = table_of(tmp_path).rows
    assert [row.setting("checkpoint_step") for row in rows] == ["real data", "3", "4"]
    assert reported_evaluations.collect(tmp_path).charts[0].summary == ["60 (60 to 75)"]
