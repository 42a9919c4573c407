"""Small GANs that are looked at while they learn, and the studies made of it."""

import json

import numpy as np
import pytest
from PIL import Image

from logan_tf.data.points import Ring, SwissRoll
from logan_tf.game import objectives
from logan_tf.lab import watching
from logan_tf.lab.exhibits import clipping, portraits
from logan_tf.lab.watching import Learner, Snapshot, watch
from logan_tf.layers.weight_clipping import WeightClipping

RING = Ring()
SMALL = Learner("small", objectives.wasserstein, hidden=(3, 2))


def test_places_go_up_row_by_row():
    expected = [[-2, -2], [0, -2], [2, -2], [-2, 0]]
    np.testing.assert_array_equal(watching.plane(2.0, 3)[:4], expected)


def test_to_look_changes_nothing():
    def last(every: int) -> list[Snapshot]:
        experiment = SMALL.experiment(RING, seed=1)
        return list(watch(experiment, 4, every, 2.0, side=5, count=7))

    often, seldom = last(1), last(4)
    assert [each.step for each in often] == [0, 1, 2, 3, 4]
    assert [each.step for each in seldom] == [0, 4]
    for one, other in ((often[0], seldom[0]), (often[-1], seldom[-1])):
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.scores, other.scores)
    assert np.abs(often[-1].points - often[0].points).max() > 1e-4


def test_scores_are_those_of_the_places():
    experiment = SMALL.experiment(RING, seed=0)
    (snapshot,) = watch(experiment, 0, 1, 2.0, side=3, count=2)
    score = experiment.discriminator(np.array([[2.0, -2.0]], np.float32), None)
    assert snapshot.scores[0, 2] == pytest.approx(float(score[0]), abs=1e-6)


def around(*modes: int) -> Snapshot:
    """A snapshot whose points lie on these modes, equally many on each."""
    return Snapshot(0, np.repeat(RING.modes[list(modes)], 10, axis=0), np.zeros((2, 2)))


def test_a_generator_that_goes_round_holds_more_in_all_than_at_a_time():
    circling = portraits.numbers([[around(mode % 8) for mode in range(16)]], RING)
    assert circling["held at a time"] == [1]
    assert circling["held in all"] == [8]
    assert circling["modes"] == [1]
    collapsed = portraits.numbers([[around(0, 3)] * 16], RING)
    assert collapsed["held at a time"] == collapsed["held in all"] == [2]
    np.testing.assert_allclose(
        portraits.shares(around(0, 3), RING)[[0, 1, 3]], [0.5, 0, 0.5]
    )


def test_gradient_norms_by_finite_differences():
    """In float64 by NumPy, for a critic of two hidden layers."""
    experiment = SMALL.experiment(RING, seed=0)
    critic = [v.numpy().astype(np.float64) for v in experiment.discriminator.variables]
    batch = next(iter(experiment.batches()))
    fake = experiment.generator(batch.latents[:, 0], None).numpy()
    real = batch.images[:, 0].numpy()

    def loss() -> float:
        x = np.concatenate([real, fake]).astype(np.float64) / 4
        for kernel, bias in zip(critic[0:4:2], critic[1:4:2], strict=True):
            x = np.maximum(x @ kernel + bias, 0)
        scores = (x @ critic[4] + critic[5])[:, 0]
        return scores[len(real) :].mean() - scores[: len(real)].mean()

    expected = []
    for kernel in critic[::2]:
        slopes = np.zeros_like(kernel)
        for place in np.ndindex(kernel.shape):
            values = []
            for sign in (1, -1):
                kernel[place] += sign * 1e-6
                values.append(loss())
                kernel[place] -= sign * 1e-6
            slopes[place] = (values[0] - values[1]) / 2e-6
        expected.append(np.linalg.norm(slopes))
    np.testing.assert_allclose(
        clipping.gradient_norms(experiment), expected, rtol=1e-4, atol=1e-6
    )


def test_numbers_of_a_plane_and_of_a_full_box():
    """f = 3x + 4y has the slope 5 everywhere."""
    x, y = watching.plane(clipping.EXTENT, 9).T.reshape(2, 9, 9)
    roll = SwissRoll()
    learner = SMALL._replace(constraint=WeightClipping(0.1))
    weights = np.array([0.1, -0.1, 0.05, 0.0])
    snapshot = Snapshot(0, roll.modes, 3 * x + 4 * y)
    found = clipping.numbers(snapshot, np.array([2.0, 1.0]), weights, roll, learner)
    assert found["median slope of f"] == pytest.approx(5, rel=1e-5)
    assert found["weights on the box's faces"] == 0.5
    assert (found["pieces of 200"], found["high quality"]) == (200, 1)


def test_what_the_studies_write(tmp_path, monkeypatch):
    monkeypatch.setattr(portraits, "STEPS", 2)
    monkeypatch.setattr(portraits, "EVERY", 1)
    monkeypatch.setattr(portraits, "LEARNERS", [SMALL])
    monkeypatch.setattr(clipping, "STEPS", 1)
    monkeypatch.setattr(clipping, "LEARNERS", [SMALL])
    (tmp_path / "figures").mkdir()
    for exhibit in (portraits, clipping):
        exhibit.run(tmp_path, seeds=1)
        table = json.loads((tmp_path / "results.json").read_text("utf-8"))["tables"][0]
        assert table["rows"][0][""] == "small"
        assert "| small |" in (tmp_path / "table.md").read_text("utf-8")
    with Image.open(tmp_path / "figures/training.gif") as film:
        assert film.n_frames == 3
    for name in ("occupancy", "clipping"):
        with Image.open(tmp_path / f"figures/{name}.png") as figure:
            assert figure.width > 500
