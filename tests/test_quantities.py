"""The one list of numbers, and how names are looked up in it."""

import pytest

from logan_tf import quantities


def test_no_name_is_listed_twice():
    names = [each.name for each in (*quantities.EVALUATED, *quantities.TRAINED)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("fid", "fid"),
        ("fid_digits", "fid"),
        ("fid_per_class_digits", "fid_per_class"),
        ("is_splits", "is_splits"),
        ("is_digits", "is"),
        ("generator_loss", "generator_loss"),
        ("best_fid", "best_fid"),
        ("mine", "mine"),
    ],
)
def test_the_longest_known_beginning_counts(name, known):
    assert quantities.find(name).name == known


def test_the_best_is_in_the_better_direction():
    assert quantities.find("fid_digits").best([3.0, 1.0, 2.0, 1.0]) == 1
    assert quantities.find("modes").best([3.0, 1.0, 3.0]) == 0
    with pytest.raises(ValueError, match="neither direction of delta_z_norm"):
        quantities.find("delta_z_norm").best([1.0])


def test_axes_have_units():
    assert quantities.find("reverse_kl").axis == "reverse KL to uniform (nats)"
    assert quantities.find("fid").axis == "FID"


def test_what_stands_below_charts_belongs_to_one():
    assert quantities.CHARTS.keys() <= {each.chart for each in quantities.TRAINED}
