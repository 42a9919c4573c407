"""Every figure has axes, names, and the numbers of the runs."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from logan_tf.studies import series
from logan_tf.studies.catalogue import STUDIES

DRAWN = [
    ("table2", "curves"),
    ("controls", "last"),
    ("figure1", "figure1"),
    ("figure3b", "figure3b"),
    ("figure5a", "figure5a"),
    ("figure5b", "second_order_share"),
    ("figure6", "figure6"),
    ("figure7", "figure7"),
    ("figure8", "figure8"),
    ("tables45", "search"),
]


@pytest.fixture
def drawn(imitated, tmp_path, monkeypatch):
    """(study, figure) → the figure and the results it shows."""
    figures = []

    def keep(figure, file, **_) -> None:
        file.write(b"PNG")
        figures.append(figure)

    monkeypatch.setattr(Figure, "savefig", keep)

    def draw(name: str, figure: str):
        study = dataclasses.replace(STUDIES[name], seeds=3)
        results = imitated(study)
        study.figures[figure](results, tmp_path / "figure.png")
        assert (tmp_path / "figure.png").read_bytes() == b"PNG"
        return figures[-1], results

    return draw


@pytest.mark.parametrize(("name", "figure"), DRAWN)
def test_axes_are_named_and_nothing_is_empty(name, figure, drawn):
    made, results = drawn(name, figure)
    for panel in made.axes:
        named = panel.get_xlabel() and panel.get_ylabel()
        assert (
            named
            or panel.get_title()
            or panel.get_label() == "<colorbar>"
            or name == "controls"
        )
        assert panel.lines or panel.images or panel.collections
    legends = [text.get_text() for legend in made.legends for text in legend.texts]
    if name in ("table2", "figure5b", "figure6"):
        assert legends == [arm.label for arm in results.study.arms]


def test_curves_are_means_with_the_range_of_seeds(drawn):
    made, results = drawn("table2", "curves")
    panel = made.axes[1]
    line, band = panel.lines[2], panel.collections[2]
    found = np.array(
        [
            [run.at(step).metrics["fid_digits"]["value"] for run in results.of("logan")]
            for step in (20, 40, 60)
        ]
    )
    np.testing.assert_allclose(line.get_xdata(), [20, 40, 60])
    np.testing.assert_allclose(line.get_ydata(), found.mean(axis=1))
    y = band.get_paths()[0].vertices[:, 1]
    assert (y.min(), y.max()) == (found.min(), found.max())
    styles = {(each.get_linestyle(), each.get_marker()) for each in panel.lines}
    assert len(styles) == len(panel.lines)
    minutes = made.axes[3].lines[2].get_xdata()
    seconds = np.mean([run.seconds_per_step for run in results.of("logan")])
    np.testing.assert_allclose(minutes, np.array([20, 40, 60]) * seconds / 60)


def test_an_arm_that_has_not_ended_has_no_line(imitated, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *_, **__: figures.append(figure)
    )
    study = dataclasses.replace(STUDIES["controls"], seeds=1)
    results = imitated(study)
    first, *others = results.runs
    first.evaluations[:] = first.evaluations[:-1]
    study.figures["last"](results, tmp_path / "figure.png")
    labels = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert labels == [run.arm.label for run in others[::-1]]


def test_figure_6_is_the_moving_average_of_the_difference(drawn):
    made, results = drawn("figure6", "figure6")
    line = made.axes[0].lines[1]
    lines = [
        run.metrics["discriminator_update_norm"] - run.metrics["generator_update_norm"]
        for run in results.of("csgan")
    ]
    expected = np.mean(lines, axis=0)[7 : 7 + 15].mean()  # 60 lines: a window of 15
    assert line.get_ydata()[7] == pytest.approx(expected)
    assert line.get_xdata()[7] == 8


def test_figure_5a_is_of_the_samples_not_of_their_mean(drawn):
    """The absolute value of the mean gain would be 0 wherever gains cancel."""
    made, results = drawn("figure5a", "figure5a")
    gains = [run.metrics["absolute_score_gain"] for run in results.of("logan")]
    window = 15  # of 60 lines
    expected = [
        series.moving_median(series.normalized(each, window), window) for each in gains
    ]
    line = made.axes[0].lines[1]
    np.testing.assert_allclose(line.get_ydata(), np.mean(expected, axis=0))


def test_figure_1_matches_the_first_arms_best(drawn):
    made, results = drawn("figure1", "figure1")
    by_arm = [
        {
            asked.truncation: run.at(60, asked).metrics["is_digits"]["value"]
            for asked in results.study.asked
        }
        for run in (results.of("baseline")[0], results.of("logan")[0])
    ]
    first = max(by_arm[0], key=by_arm[0].get)
    target = by_arm[0][first]
    other = min(by_arm[1], key=lambda s: abs(by_arm[1][s] - target))
    titles = [panel.get_title() for panel in made.axes]
    assert f"truncation {first:g}\nIS {target:.4g}, FID" in titles[0]
    assert f"truncation {other:g}\nIS {by_arm[1][other]:.4g}, FID" in titles[1]


def test_figure_8_shows_the_difference_on_gray(drawn):
    made, _ = drawn("figure8", "figure8")
    before, after, difference = (panel.images[0].get_array() for panel in made.axes)
    assert (before.min(), after.min()) == (100, 110)
    assert difference.min() == 132
