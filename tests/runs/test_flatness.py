"""A discriminator that has gone flat is seen, and one that is sound is not."""

import json
from pathlib import Path

import pytest

from logan_tf.runs import flatness


def rows(*parts):
    """(lines, distance of the scores, G's gradient norm) … → steps and values."""
    at = 0
    for lines, apart, norm in parts:
        for _ in range(lines):
            at += 10
            yield (
                at,
                {
                    "real_score": 1 + apart,
                    "fake_score": 1.0,
                    "generator_gradient_norm": norm,
                },
            )


@pytest.mark.parametrize(
    ("training", "flat_by"),
    [
        ("logan, flat", 730),
        ("gan, flat", 980),
        ("gan, sound", None),
        ("ngd, sound", None),
        ("gan_simultaneous, sound", None),
    ],
)
def test_trainings_that_were_recorded(training, flat_by):
    """Every line that was logged; a look at the curves agrees with these steps."""
    contents = Path(__file__).with_name("recorded_trainings.json").read_text()
    lines = json.loads(contents)[training]
    seen = (
        (step, {name: line[at] for name, line in lines.items() if name != "run"})
        for at, step in enumerate(lines["step"])
    )
    found = flatness.of_rows(seen).found
    assert (found and found.step) == flat_by


def test_it_is_flat_where_both_have_fallen_tenfold():
    found = flatness.of_rows(rows((100, 2.0, 3.0), (100, 0.1, 0.2))).found
    # The median of an even window falls by its eleventh line.
    assert found == (1110, pytest.approx(0.1), 0.2, 3.0)
    assert "gone flat by step 1,110" in str(found)
    assert "0.1 apart" in str(found)
    assert "from 3 to 0.2" in str(found)


@pytest.mark.parametrize(
    "parts",
    [
        [(200, 2.0, 3.0)],
        [(100, 2.0, 3.0), (100, 0.1, 3.0)],  # Scores meet, G goes on learning.
        [(100, 2.0, 3.0), (100, 2.0, 0.2)],
        [(100, 2.0, 3.0), (9, 0.1, 0.2), (100, 2.0, 3.0)],  # For less than a window.
        [(100, 2.0, 3.0), (100, 0.3, 0.4)],
        [(100, 0.1, 0.2), (100, 2.0, 3.0)],
        [],
    ],
)
def test_it_is_not_where_one_has_or_for_a_moment(parts):
    assert flatness.of_rows(rows(*parts)).found is None


def test_it_is_said_once_and_after_a_resume_not_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    seen = list(rows((100, 2.0, 3.0), (100, 0.1, 0.2)))
    said = flatness.Flatness()
    assert sum(said.see(step, values) is not None for step, values in seen) == 1
    path.write_text("".join(json.dumps({"step": s, **v}) + "\n" for s, v in seen))
    resumed = flatness.of_lines(path)
    assert resumed.found == said.found
    assert resumed.see(2010, seen[-1][1]) is None


@pytest.mark.parametrize("wrong", [{}, {"real_score": "x"}, {"real_score": None}])
def test_a_line_that_says_nothing_is_passed_over(wrong):
    parts = list(rows((100, 2.0, 3.0), (100, 0.1, 0.2)))
    whole = {"fake_score": 0.0, "generator_gradient_norm": float("nan")}
    lines = [each for part in parts for each in (part, (0, wrong), (0, whole | wrong))]
    assert flatness.of_rows(lines).found == flatness.of_rows(parts).found


def test_the_remedy_is_the_latent_steps_if_there_is_one():
    assert "9 times its squared slope" in flatness.remedy(9.0)
    assert "lower α or raise β" in flatness.remedy(9.0)
    assert "α" not in flatness.remedy(None)
