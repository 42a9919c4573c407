"""What is best, and what is a collapse."""

import pytest

from logan_tf.errors import CollapsedError, ConfigurationError, DivergedError
from logan_tf.runs.collapse import Best, Quality, Watch

BEST = Best(20, "fid", 50.0)


def judge(value: float, best: Best | None = BEST, metric="fid", **rule) -> Best:
    return Watch(**rule).judge(30, Quality(metric, value), best)


def test_the_lower_the_better_and_the_first_of_equals():
    assert judge(900.0, None) == Best(30, "fid", 900.0)
    assert judge(49.9) == Best(30, "fid", 49.9)
    assert judge(50.0) == BEST
    assert judge(60.0) == BEST


def test_a_collapse_is_beyond_both_the_factor_and_the_floor():
    assert judge(150.0) == BEST
    with pytest.raises(CollapsedError) as caught:
        judge(150.1)
    said = "step 30: fid is 150.1, more than 3 times the best, 50 at step 20: "
    assert str(caught.value).startswith(said)
    assert "collapse_factor = 0" in str(caught.value)
    assert isinstance(caught.value, DivergedError)
    assert judge(150.1, floor=200.0) == BEST
    assert judge(150.1, factor=4.0) == BEST
    assert judge(1e9, factor=0) == BEST
    # A good model's next evaluation may well be three times as bad.
    assert judge(9.0, Best(20, "fid", 2.0)).step == 20
    # A KL divergence is the logarithm of the number of modes at most.
    assert judge(6.9, Best(20, "reverse_kl", 0.01), "reverse_kl").step == 20


def test_another_metric_is_no_yardstick():
    assert judge(900.0, metric="fid_digits") == Best(30, "fid_digits", 900.0)


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"factor": 1.0}, "collapse_factor"),
        ({"factor": -3.0}, "collapse_factor"),
        ({"factor": float("nan")}, "collapse_factor"),
        ({"floor": -1.0}, "collapse_floor"),
        ({"floor": float("nan")}, "collapse_floor"),
    ],
)
def test_numbers_out_of_range(rule, cause):
    with pytest.raises(ConfigurationError, match=f"{cause} must be .* not"):
        Watch(**rule)


def test_a_manifest_names_it():
    assert Best.of({"best": BEST._asdict()}) == BEST
    assert Best.of({"best": None}) is None
    assert Best.of({}) is None
    assert str(BEST) == "fid 50"
