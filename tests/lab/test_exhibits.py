"""Studies of toys: what they measure, and that they write it down."""

import json

import numpy as np
import pytest

from logan_tf.game.dynamics.plain import Plain
from logan_tf.lab import portraits, toys
from logan_tf.lab.descent import Descent
from logan_tf.lab.exhibits import bilinear, dirac, rates
from logan_tf.lab.exhibits.catalogue import EXHIBITS
from logan_tf.lab.exhibits.methods import METHODS, Method, momentum
from logan_tf.studies import panels

CHEAP = [method for method in METHODS if method.label in ("alternating", "optimistic")]


@pytest.mark.parametrize("rate", [0.7, 1.0, 1.04])
def test_the_rate_of_a_spiral(rate):
    times = np.arange(401)
    path = np.stack([np.cos(0.3 * times), np.sin(0.3 * times)], 1)
    path *= (1e-3 * rate**times)[:, None]
    assert rates.rate_of(path) == pytest.approx(rate, rel=1e-12)


def test_the_rate_is_of_what_lasts():
    """A part that is gone by the middle does not count, nor does a path at 0."""
    times = np.arange(401)
    path = np.stack([0.9**times, 100 * 0.5**times], 1)
    assert rates.rate_of(path) == pytest.approx(0.9, rel=1e-9)
    assert rates.rate_of(path[:, 1:] ** 4) == pytest.approx(0.5**4, rel=1e-9)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.label)
def test_closed_forms_are_the_radius_of_a_step(method: Method):
    """Conjugate gradients take their time to trace; test_dynamics.py has them."""
    if method.label not in ("competitive", "follow the ridge"):
        matrix = method.descent(toys.bilinear(0.5), 0.3).matrix()
        found = np.abs(np.linalg.eigvals(matrix)).max()
        assert found == pytest.approx(method.rate(0.3, 0.5), abs=1e-7)


def test_momentum_as_in_the_table_of_its_paper():
    """Simultaneous: none converges; alternating: both negative, s < 1; none: 1."""
    for beta in (-0.5, 0.0, 0.5):
        assert momentum(0.3, beta, beta, alternating=False) > 1
    assert momentum(0.9, -0.5, -0.5, alternating=True) < 1
    assert momentum(1.1, -0.5, -0.5, alternating=True) > 1
    assert momentum(1.1, 0.0, 0.0, alternating=True) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("step_size", [0.0, 0.1, 0.9])
def test_a_latent_step_on_the_dirac_gan(step_size):
    toy = toys.wasserstein_dirac(step_size)
    found = Descent(toy, Plain(), 0.2).matrix()
    expected = [[1 - 0.4 * step_size, -0.2], [0.2, 1]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_restart_forgets():
    for method in CHEAP:
        descent = method.descent(toys.dirac(), 0.2)
        once, again = rates.paths(descent, [(1.0, 0.5)] * 2, 5)
        np.testing.assert_array_equal(once, again)
        assert once[0].tolist() == [1.0, 0.5]


@pytest.mark.parametrize("module", [bilinear, dirac])
def test_pages_and_figures(module, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "METHODS", CHEAP)
    monkeypatch.setattr(module, "STEPS", 20)
    if module is bilinear:
        monkeypatch.setattr(module, "TIMES", (10, 20))
        monkeypatch.setattr(module, "BETAS", ((0.0, 0.0),))
        monkeypatch.setattr(module, "RATES", (0.3,))
    else:
        monkeypatch.setattr(module, "PENALTIES", (1.0,))
        monkeypatch.setattr(module, "MOVES", (0.5,))
    name = module.__name__.rsplit(".", 1)[1]
    EXHIBITS[name].run(tmp_path / name, 2)
    found = json.loads((tmp_path / name / "results.json").read_text())
    rows = found["tables"][0]["rows"]
    assert [row[""] for row in rows] == [method.label for method in CHEAP]
    for row in rows:
        assert len(row["measured ρ"]) == len(row["‖ω‖ after 20"]) == 2
        assert all(0.9 < rate < 1.1 for rate in row["measured ρ"])
    page = (tmp_path / name / "table.md").read_text()
    assert page.startswith(f"# {name}: ")
    assert "| alternating | 1.000000 |" in page
    drawn = sorted((tmp_path / name / "figures").glob("*.png"))
    assert drawn
    assert all(path.stat().st_size > 10_000 for path in drawn)


def test_arrows_are_the_field(tmp_path):
    """−v of f = xy over (y, x): y climbs along x, x descends along y."""
    with panels.opened(tmp_path / "a.png") as ((panel,),):
        portraits.field(panel, toys.bilinear(2.0), 1.5)
        (arrows,) = panel.collections
    y, x = arrows.XY.T
    assert (y.min(), x.max()) == (-1.5, 1.5)
    lengths = np.maximum(np.hypot(x, y), 1e-12)
    np.testing.assert_allclose(arrows.U, x / lengths, atol=1e-12)
    np.testing.assert_allclose(arrows.V, -y / lengths, atol=1e-12)
