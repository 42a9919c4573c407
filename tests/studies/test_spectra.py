"""Spectra that runs wrote down, as numbers and as planes."""

import json

import numpy as np
import pytest

from logan_tf.studies import spectra
from logan_tf.studies.results import ArmRun
from logan_tf.studies.study import EMBEDDED


def written(path, step, values, share, gradient):
    path.mkdir(exist_ok=True)
    found = {
        "step": step,
        "real": np.real(values).tolist(),
        "imaginary": np.imag(values).tolist(),
        "shares": {"discriminator": share, "generator": [1 - x for x in share]},
        "gradient": gradient,
    }
    (path / f"step-{step:08d}.json").write_text(json.dumps(found))


VALUES = [5, 3 + 4j, 3 - 4j, -1, 0.01]


@pytest.fixture
def run(tmp_path):
    arm = spectra.STUDY.arms[0]
    found = ArmRun.of(arm, 0, tmp_path)
    found.path.mkdir()
    folder = found.path / "spectra"
    written(folder, 0, VALUES, [0.9, 0.6, 0.6, 0, 1], [0.1, 0.2, 0.2, 0, None])
    written(folder, 1000, [2.0, 1.0], [0.5, 0.5], [0.5, 0.5])
    return found


def test_numbers_are_of_what_is_large(run):
    """Five has the modulus of 3 ± 4i; .01 is below 1 % of it."""
    first, last = spectra.of(run).values()
    first.gradient[np.isnan(first.gradient)] = 0
    assert spectra.numbers(first) == pytest.approx(
        {
            "largest modulus": 5,
            "least real part": -1,
            "largest imaginary part": 4,
            "share of pairs": 0.5,
            "their part in the gradient": 0.8,
            "largest ratio of both": 0.8,
            "D's share of the largest pair": 0.6,
        }
    )
    assert spectra.numbers(last)["share of pairs"] == 0


def test_rows_and_planes(imitated, tmp_path):
    results = imitated(spectra.STUDY)
    for each in results.runs:
        written(each.path / "spectra", 0, VALUES, [0.5] * 5, [0.2] * 5)
    table = list(spectra.rows(results))
    assert [row[""] for row in table] == [arm.label for arm in spectra.STUDY.arms]
    assert table[0]["largest modulus"] == [5, 5, 5]
    spectra.draw(results, tmp_path / "planes.png")
    assert (tmp_path / "planes.png").stat().st_size > 10_000


def test_its_runs_write_spectra():
    assert spectra.STUDY.size[EMBEDDED] == ("spectrum_every = 1000",)
    assert all(step % 1000 == 0 for step in spectra.STUDY.steps[EMBEDDED])
