"""Tables over seeds, against SciPy's own intervals."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from logan_tf.evaluation.receipts import Evaluation, Receipt
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.studies import published, tables


def test_a_cell_is_mean_deviation_and_students_interval():
    found = [3.0, 5.0, 10.0]
    low, high = stats.t.interval(0.95, 2, np.mean(found), stats.sem(found))
    assert tables.summary(found) == f"6 ± 3.6 [{low:.4g}, {high:.4g}]"
    assert tables.summary([3.25]) == "3.25"
    assert tables.summary([]) == "–"


def test_rows_name_arm_step_seeds_and_collapse(two_arms, imitated):
    results = imitated(two_arms)
    run = results.runs[3]
    run.outcome.update(exit_code=4, message="error: step 30: all alike")
    run.evaluations[:] = [e for e in run.evaluations if e.receipt.checkpoint_step <= 20]
    rows = tables.rows(results)
    assert [(row[""], row["step"]) for row in rows] == [
        (label, step) for label in "AB" for step in ("20", "40", "60")
    ]
    assert [row["seeds"] for row in rows] == ["0, 1"] * 4 + ["0"] * 2
    assert [row["collapsed"] for row in rows] == ["0 of 2"] * 3 + ["1 of 2"] * 3
    modes = [e.metrics["modes"]["value"] for e in results.runs[0].evaluations]
    assert tables.values([results.of("a")[0].at(40)], "modes") == [modes[2]]
    # 64 images a step at some thousand a second.
    assert float(rows[2]["seconds"]) == pytest.approx(60 * 64 / 1000, rel=0.1)
    assert "b-seed1: error: step 30: all alike" in tables.markdown(results)


@pytest.mark.parametrize(
    ("name", "found"),
    [("fid_mnist", [2.0]), ("fid", [2.0]), ("fid_per_class_mnist", []), ("kid", [])],
)
def test_a_metric_is_found_by_whichever_classifier(name, found):
    receipt = Receipt("images_and_modes/1", num_samples=10, seed=0)
    metrics = {"fid_per_class": {"value": 1.0}, name: {"value": 2.0}}
    evaluations = [None, Evaluation(receipt, metrics)]
    assert tables.values(evaluations, "fid") == found


def test_differences_are_welchs(two_arms, imitated):
    results = imitated(dataclasses.replace(two_arms, seeds=4))
    rows = tables.differences(results)
    assert [(row[""], row["step"]) for row in rows] == [
        ("B − A", step) for step in ("20", "40", "60")
    ]
    for row, step in zip(rows, (20, 40, 60), strict=True):
        values = [
            [run.at(step).metrics["fid_digits"]["value"] for run in results.of(arm)]
            for arm in "ba"
        ]
        low, high = stats.ttest_ind(*values, equal_var=False).confidence_interval()
        mean = np.mean(values[0]) - np.mean(values[1])
        mark = " *" if low > 0 or high < 0 else ""
        assert row["fid"] == f"{mean:+.4g} [{low:+.4g}, {high:+.4g}]{mark}"


def test_an_arm_is_compared_with_the_one_it_names(two_arms, imitated):
    a, b = two_arms.arms
    c = dataclasses.replace(b, name="c", label="C", steps=(40, 60), versus="b")
    short = dataclasses.replace(b, steps=(20, 40))
    study = dataclasses.replace(two_arms, arms=(a, short, c))
    found = [(row[""], row["step"]) for row in tables.differences(imitated(study))]
    assert found[-2:] == [("C − B", "40 − 20"), ("C − B", "60 − 40")]


def test_endings_are_means_of_the_last_fifth_seed_by_seed(two_arms, imitated):
    results = imitated(two_arms)
    for arm, row in zip("ab", tables.endings(results), strict=True):
        means = [run.metrics["delta_z_norm"][48:60].mean() for run in results.of(arm)]
        assert row["delta_z_norm"] == ", ".join(f"{mean:.3g}" for mean in means)
    page = tables.markdown(results)
    assert f"| B | {row['delta_z_norm']} |" in page


def test_the_papers_numbers_are_marked_as_the_papers(two_arms, imitated, tmp_path):
    study = dataclasses.replace(two_arms, published=published.TABLE_2)
    tables.write(tmp_path, imitated(study))
    page = (tmp_path / "table.md").read_text("utf-8")
    ours, theirs = page.split("Published (Wu et al. 2019")
    assert "**Not comparable**" in theirs
    assert "| LOGAN (NGD) | 17.7 ± .4 | 8.67 ± .05 | CIFAR-10 |" in theirs
    assert "17.7" not in ours
    written = json.loads((tmp_path / "results.json").read_text("utf-8"))
    evaluations = [e for run in written["runs"] for e in run["evaluations"]]
    assert len(evaluations) == 2 * 2 * 4
    assert all(e["receipt"]["protocol"] == "imitation/1" for e in evaluations)
    assert written["versions"]["tensorflow"]


def test_what_was_asked_after_the_training_has_rows_of_its_own(two_arms, imitated):
    asked = tuple(SamplingSettings(0, *each) for each in ((0,), (5,), (0, 0.5)))
    rows = tables.rows(imitated(dataclasses.replace(two_arms, asked=asked)))
    settings = [(r["step"], r["latent steps"], r["truncation"]) for r in rows[:5]]
    assert settings == [
        ("20", "0", "1"),
        ("40", "0", "1"),
        ("60", "0", "1"),
        ("60", "5", "1"),
        ("60", "0", "0.5"),
    ]
    assert rows[3]["fid"] != rows[2]["fid"]


def test_the_error_of_eq_26_is_shown_where_it_is_asked_for(two_arms, imitated):
    study = dataclasses.replace(two_arms, local_approximation=True)
    results = imitated(study)
    for run, error in zip(results.runs, (1.0, 2.0, 3.0, 5.0), strict=True):
        numbers = {"discriminator": error, "generator": 0.5}
        (run.path / "local_approximation.json").write_text(json.dumps(numbers))
    half = stats.t.ppf(0.975, 1) * 0.5  # of 1 and 2
    row = (
        f"| A | 1.5 ± 0.71 [{1.5 - half:.4g}, {1.5 + half:.4g}] | 0.5 ± 0 [0.5, 0.5] |"
    )
    assert row in tables.markdown(results)
    plain = dataclasses.replace(results, study=two_arms)
    assert "eq. 26" not in tables.markdown(plain)
