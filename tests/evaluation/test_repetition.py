"""Intervals over seeds against SciPy's own tests, and against figures by hand."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from logan_tf.errors import ConfigurationError
from logan_tf.evaluation import repetition
from logan_tf.evaluation.receipts import Evaluation, Receipt

RECEIPT = Receipt("images/1", 10_000, 0, num_seeds=5, classifier="c", reference="r")


def _evaluation(values, **fields):
    found = [{"fid": {"value": value, "of": 1}} for value in values]
    receipt = dataclasses.replace(RECEIPT, **{"num_seeds": len(values)} | fields)
    return Evaluation(receipt, repetition.combine(found))


def test_the_interval_is_students():
    values = [10.0, 12.0, 11.0, 13.0, 14.0]
    fid = _evaluation(values).metrics["fid"]
    assert fid["value"] == pytest.approx(12.0)
    # t(.975, 4) = 2.776445, s = 1.581139: half = 2.776445 * 1.581139 / sqrt(5)
    assert fid["interval"] == pytest.approx([12 - 1.963243, 12 + 1.963243], abs=1e-5)
    assert fid["deviation"] == pytest.approx(1.581139, abs=1e-6)
    assert fid["values"] == values
    assert fid["of"] == 1


def test_what_the_seeds_disagree_on_is_left_out():
    found = [{"kid": {"value": 1, "standard_error": error}} for error in (0.1, 0.2)]
    assert "standard_error" not in repetition.combine(found)["kid"]


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0, -3.0])
@pytest.mark.parametrize("sizes", [(5, 5), (5, 9)])
def test_welch(shift, sizes):
    generator = np.random.default_rng(1)
    a = generator.normal(size=sizes[0]).tolist()
    b = (0.3 * generator.normal(size=sizes[1]) + shift).tolist()
    found = repetition.compare(_evaluation(a), _evaluation(b))["fid"]
    test = stats.ttest_ind(b, a, equal_var=False)
    assert found.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert found.is_told_apart == (test.pvalue < 0.05)
    assert found.second - found.first == pytest.approx(np.mean(b) - np.mean(a))


def test_certain_values():
    same, other = _evaluation([8] * 5), _evaluation([7] * 5)
    assert not repetition.compare(same, same)["fid"].is_told_apart
    assert repetition.compare(same, other)["fid"].is_told_apart


def test_too_few_seeds_and_unlike_receipts():
    five, four = _evaluation([1.0, 2, 3, 4, 5]), _evaluation([1.0, 2, 3, 4])
    with pytest.raises(ConfigurationError, match="--seeds=5"):
        repetition.compare(five, four)
    with pytest.raises(ConfigurationError, match="num_samples"):
        repetition.compare(five, _evaluation([1.0, 2, 3, 4, 5], num_samples=9))
    empty = Evaluation(RECEIPT, {})
    with pytest.raises(ConfigurationError, match="in common"):
        repetition.compare(five, empty)
