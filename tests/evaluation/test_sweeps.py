"""Curves as files and as pictures."""

import json

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from logan_tf.errors import ConfigurationError
from logan_tf.evaluation import sweeps
from logan_tf.evaluation.receipts import Evaluation, Receipt
from logan_tf.evaluation.sweeps import Sweep
from logan_tf.plots import sweep_plots


def sweep(axis, values, intervals=False) -> Sweep:
    evaluations = []
    for index, value in enumerate(values):
        metrics = {
            "fid_digits": {"value": 30.0 + 200 * index},
            "is_digits": {"value": 9.0 - index},
            "modes": {"value": 900 + index, "of": 1000},
        }
        if intervals:
            for metric in metrics.values():
                metric["interval"] = [metric["value"] - 2, metric["value"] + 1]
        receipt = Receipt(
            "images/1",
            1000,
            4,
            num_seeds=5 if intervals else 1,
            recipe="mine",
            checkpoint_step=2000,
            **{axis: value},
        )
        evaluations.append(Evaluation(receipt, metrics))
    return Sweep(axis, evaluations)


def test_values():
    assert sweeps.checked_values("latent_steps", []) == [0, 1, 5, 10, 20, 30]
    default = sweeps.checked_values("truncation", [])
    assert (default[0], default[-1]) == (1, 0.02)
    assert default == sorted(default, reverse=True)
    found = sweeps.checked_values("latent_steps", ["5", "0", "5", "12"])
    assert found == [0, 5, 12]
    assert all(isinstance(value, int) for value in found)
    assert sweeps.checked_values("truncation", [".5", "1", "0.5"]) == [1.0, 0.5]


@pytest.mark.parametrize(
    ("axis", "text"),
    [
        ("latent_steps", "-1"),
        ("latent_steps", "1.5"),
        ("latent_steps", "many"),
        ("truncation", "0"),
        ("truncation", "1.1"),
        ("truncation", "nan"),
        ("truncation", ""),
    ],
)
def test_values_that_cannot_be(axis, text):
    with pytest.raises(ConfigurationError, match=rf"--values=1,{text}: {axis} takes"):
        sweeps.checked_values(axis, ["1", text])


def test_a_file_of_receipts_and_metrics(tmp_path):
    written = sweep("truncation", [1.0, 0.5], intervals=True)
    sweeps.write(tmp_path / "sweep.json", written)
    assert written.values() == [1.0, 0.5]
    contents = json.loads((tmp_path / "sweep.json").read_text())
    assert contents["axis"] == "truncation"
    found = [Evaluation.of(each) for each in contents["evaluations"]]
    assert found == written.evaluations


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn."""
    figures = []
    make = Figure.__init__

    def remember(figure, *arguments, **settings):
        figures.append(figure)
        make(figure, *arguments, **settings)

    monkeypatch.setattr(Figure, "__init__", remember)
    return figures


NAMES = ("fid_digits", "is_digits", "modes")


def points(axes) -> list[tuple[float, float]]:
    (line, _, _) = axes.containers[0]
    return [tuple(map(float, point)) for point in line.get_xydata()]


def test_each_metric_along_latent_steps(drawn, tmp_path):
    path = tmp_path / "sweep.png"
    sweep_plots.plot(path, sweep("latent_steps", [0, 5, 30]), NAMES)
    assert matplotlib.image.imread(path).shape[1] > 1500
    panels = drawn[0].axes
    assert [axes.get_ylabel() for axes in panels] == [
        "FID (digits)",
        "inception score (digits)",
        "modes of 1,000",
    ]
    assert {axes.get_xlabel() for axes in panels} == {"latent steps before sampling"}
    assert points(panels[1]) == [(0, 9), (5, 8), (30, 7)]
    # 30 to 430 is more than a decade, 7 to 9 is not.
    assert [axes.get_yscale() for axes in panels] == ["log", "linear", "linear"]
    assert panels[0].containers[0].has_yerr is False
    title = drawn[0].get_suptitle()
    assert title == "mine, step 2,000, 1,000 samples, seed 4"


def test_one_metric_alone_is_drawn_along_truncation_too(drawn, tmp_path):
    made = sweep("truncation", [1.0, 0.5])
    sweep_plots.plot(tmp_path / "sweep.png", made, NAMES[:1])
    (panel,) = drawn[0].axes
    assert panel.get_ylabel() == "FID (digits)"


def test_fid_against_is_along_truncation(drawn, tmp_path):
    values = [1.0, 0.5, 0.1]
    made = sweep("truncation", values, intervals=True)
    sweep_plots.plot(tmp_path / "sweep.png", made, NAMES)
    tradeoff, modes = drawn[0].axes
    assert (tradeoff.get_xlabel(), tradeoff.get_ylabel()) == (
        "inception score (digits)",
        "FID (digits)",
    )
    assert points(tradeoff) == [(9, 30), (8, 230), (7, 430)]
    assert [text.get_text() for text in tradeoff.texts] == ["1", "0.5", "0.1"]
    bars = tradeoff.containers[0]
    assert (bars.has_xerr, bars.has_yerr) == (True, True)
    (segments,) = modes.containers[0].lines[2]
    assert segments.get_segments()[0].tolist() == [[1, 898], [1, 901]]
    assert modes.get_xlabel() == "truncation s"
    assert drawn[0].get_suptitle().endswith("seeds 4 to 8: mean and 95 % interval")
