import dataclasses
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.evaluation import receipts, sweeps
from logan_tf.evaluation.receipts import Evaluation, Receipt

RECEIPT = Receipt(
    protocol="stacked_digits_modes/1",
    num_samples=26_000,
    seed=7,
    recipe="stacked_digits_logan",
    checkpoint_step=1000,
    checkpoint_hash="0a1b",
    latent_steps=2,
    latent_move="Langevin(0.01, 0, None)",
    truncation=0.5,
    standing_batches=50,
    standing_batch_size=64,
    standing_seed=8,
    classifier="c1",
    classifier_sha256="h2",
    classifier_weights="c2",
    classifier_accuracy=0.9887,
    classifier_input="resized here",
    reference="r1",
    reference_hash="r2",
)
SMALL = {"protocol": "p", "num_samples": 1, "seed": 1}
METRICS = {
    "modes": {"value": 995, "of": 1000},
    "reverse_kl": {"value": 0.1, "unit": "nats"},
}


def test_the_file_has_the_form_that_the_design_names(tmp_path):
    path = tmp_path / "evaluations" / "step-00001000.json"
    receipts.write_evaluation(path, RECEIPT, METRICS)
    contents = json.loads(path.read_text())
    assert contents["metrics"]["modes"]["value"] == 995
    assert contents["receipt"]["num_samples"] == 26_000
    assert contents["receipt"]["checkpoint_hash"] == "0a1b"
    assert set(contents) == {"receipt", "metrics"}
    assert receipts.read_evaluation(path) == Evaluation(RECEIPT, METRICS)


@pytest.mark.parametrize(
    "field",
    [f.name for f in dataclasses.fields(Receipt) if f.name != "checkpoint_hash"],
)
def test_numbers_of_other_circumstances_stay(field, tmp_path):
    """Every field of the receipt, for one evaluation and for a sweep's second."""
    value = getattr(RECEIPT, field)
    changed = f"{value}x" if isinstance(value, str) else value + 1
    other = dataclasses.replace(RECEIPT, **{field: changed})
    path, curve = tmp_path / "step-00000002.json", tmp_path / "step-00000002-curve.json"
    receipts.write_evaluation(path, RECEIPT, METRICS)
    own = receipts.own_path(path, other)
    assert own != path
    assert own.name.startswith("step-00000002-")
    assert own == receipts.own_path(path, other)  # Nor is there a third file.
    assert receipts.own_path(path, other, unknown=[field]) == path
    both = [Evaluation(RECEIPT, METRICS)] * 2
    sweeps.write(curve, sweeps.Sweep("truncation", both))
    assert receipts.own_path(curve, RECEIPT, RECEIPT) == curve
    assert receipts.own_path(curve, RECEIPT, other) != curve
    assert receipts.own_path(curve, RECEIPT) != curve


def test_numbers_of_the_same_circumstances_are_replaced(tmp_path):
    path = tmp_path / "step-00000002.json"
    assert receipts.own_path(path, RECEIPT) == path
    receipts.write_evaluation(path, RECEIPT, METRICS)
    assert receipts.own_path(path, RECEIPT) == path
    # A step that was trained again: its earlier weights are gone.
    again = dataclasses.replace(RECEIPT, checkpoint_hash="other")
    assert receipts.own_path(path, again) == path
    for garbled in ("", "[]", "{}", '{"receipt": 3}', "[" * 10_000):
        path.write_text(garbled)
        assert receipts.own_path(path, RECEIPT) == path


@given(
    st.integers(0, 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.text(),
)
@settings(deadline=None, max_examples=30)
def test_what_is_written_is_read(tmp_path_factory, seed, value, recipe):
    path = tmp_path_factory.mktemp("round") / "evaluation.json"
    receipt = dataclasses.replace(RECEIPT, seed=seed, recipe=recipe)
    metrics = {"reverse_kl": {"value": value}}
    receipts.write_evaluation(path, receipt, metrics)
    assert receipts.read_evaluation(path) == Evaluation(receipt, metrics)


def test_a_number_that_is_none_is_never_written(tmp_path):
    path = tmp_path / "evaluation.json"
    receipts.write_evaluation(path, RECEIPT, METRICS)
    with pytest.raises(ValueError, match="JSON"):
        receipts.write_evaluation(path, RECEIPT, {"modes": {"value": float("nan")}})
    assert receipts.read_evaluation(path).metrics == METRICS
    assert os.listdir(tmp_path) == ["evaluation.json"]


@pytest.mark.parametrize(
    "garbled",
    [
        b"",
        b'{"receipt": {"proto',
        b"[1, 2]",
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b'{"metrics": {}}',
        b'{"receipt": {}, "metrics": {}}',
        b'{"receipt": [1], "metrics": {}}',
        b'{"receipt": {"protocol": "p", "num_samples": 1, "seed": 1}}',
        b'{"receipt": {"protocol": "p", "num_samples": 1, "seed": 1}, "metrics": []}',
        b'{"receipt": {"protocol": "p", "num_samples": 1, "seed": 1},'
        b' "metrics": {"modes": 5}}',
        b'{"receipt": {"protocol": "p", "num_samples": 1, "seed": 1},'
        b' "metrics": {"modes": {}}}',
        b'{"receipt": {"protocol": "p", "num_samples": 1, "seed": 1, "moon": 2},'
        b' "metrics": {}}',
        b"[" * 100_000,
        *(
            json.dumps({"receipt": SMALL | wrong, "metrics": {}}).encode()
            for wrong in (
                {"protocol": 7},
                {"num_samples": "many"},
                {"num_seeds": None},
                {"seed": True},
                {"truncation": "1"},
                {"recipe": 5},
                {"checkpoint_step": 0.5},
                {"classifier_accuracy": float("nan")},
            )
        ),
        *(
            json.dumps({"receipt": SMALL, "metrics": {"modes": wrong}}).encode()
            for wrong in (
                {"value": "995"},
                {"value": None},
                {"value": float("inf")},
                {"value": 1, "interval": 2},
                {"value": 1, "interval": [1]},
                {"value": 1, "interval": ["0", "2"]},
                {"value": 1, "values": [1]},
                {"value": 1, "values": [1, "2"]},
            )
        ),
    ],
)
def test_garbled_files_are_refused_in_one_line(garbled, tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_bytes(garbled)
    with pytest.raises(BadDataError, match="evaluate again") as error:
        receipts.read_evaluation(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(ConfigurationError, match="bin/evaluate"):
        receipts.read_evaluation(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("protocol", "digits_modes/1"),
        ("num_samples", 2_500),
        ("classifier", "c9"),
        ("reference", "r9"),
    ],
)
def test_numbers_measured_otherwise_are_not_compared(field, value):
    other = dataclasses.replace(RECEIPT, **{field: value})
    with pytest.raises(ConfigurationError, match=f"{field}.*{value}"):
        receipts.require_comparable(RECEIPT, other)


def test_all_that_differs_is_named():
    other = dataclasses.replace(RECEIPT, num_samples=9, classifier="c9", seed=1)
    with pytest.raises(
        ConfigurationError, match=r"num_samples is .*classifier is "
    ) as e:
        receipts.require_comparable(RECEIPT, other)
    assert "seed" not in str(e.value)


def test_the_settings_of_the_experiment_may_differ():
    other = dataclasses.replace(
        RECEIPT,
        recipe="other",
        seed=1,
        latent_steps=0,
        classifier_weights="another",
        reference_hash="another",
    )
    receipts.require_comparable(RECEIPT, other)


def test_tables_align_and_name_what_is_missing():
    rows = [
        {"run": "logan", "modes": 995, "reverse_kl": 0.31234567},
        {"run": "held-out data", "modes": 1000, "confident": True},
    ]
    assert receipts.format_table(rows) == "\n".join(
        [
            "run              modes    reverse_kl    confident",
            "-------------  -------  ------------  -----------",
            "logan              995        0.3123            -",
            "held-out data    1,000             -         True",
        ]
    )


def test_a_table_of_metrics_has_a_row_for_each():
    metrics = {"modes": {"value": 9}, "fid": {"value": 2.5, "interval": [2.25, 2.75]}}
    table = receipts.rows({"step 4": metrics, "real": {"modes": {"value": 10}}})
    assert table == [
        {"": "modes", "step 4": 9, "real": 10},
        {"": "fid", "step 4": 2.5, "95 % interval": "[2.25, 2.75]", "real": None},
    ]
