"""Distances against closed forms, and what the lectures claim of them."""

import numpy as np
import pytest

from logan_tf.lab.exhibits import distances, lecture_figures
from logan_tf.lab.exhibits.catalogue import EXHIBITS
from logan_tf.lab.exhibits.distances import EDGES, gaussian


def test_divergences_of_gaussians():
    p, q = gaussian(EDGES, 0.5, 1.0), gaussian(EDGES, -1.0, 2.0)
    # ln(s₂/s₁) + (s₁² + (m₁ − m₂)²) / 2s₂² − ½
    expected = np.log(2) + (1 + 1.5**2) / 8 - 0.5
    assert distances.kl(p, q) == pytest.approx(expected, rel=1e-9)
    assert distances.kl(p, p) == 0
    moved = gaussian(EDGES, 2.0, 1.0)
    assert distances.earth_mover(p, moved) == pytest.approx(1.5, rel=1e-6)
    # 2Φ(|Δ|/2) − 1 at Δ = 1.5: erf(.75/√2)
    assert distances.total_variation(p, moved) == pytest.approx(0.5467453, abs=1e-6)
    far = gaussian(EDGES, -12, 0.1), gaussian(EDGES, 12, 0.1)
    assert distances.js(*far) == pytest.approx(np.log(2))
    uniform = np.where(np.abs(EDGES) <= 1, 0.5, 0)
    assert distances.kl(p, uniform) == np.inf


def test_distances_of_parallel_lines():
    assert distances.parallel_lines(0.0) == dict.fromkeys(
        ("EM", "JS", "KL", "total variation"), 0
    )
    apart = distances.parallel_lines(-0.3)
    assert apart["EM"] == 0.3
    assert apart["JS"] == pytest.approx(np.log(2))
    assert (apart["KL"], apart["total variation"]) == (np.inf, 1)


def test_identities_of_the_optimal_discriminator():
    for row in lecture_figures.identities():
        _, value, expected, slope, both = row.values()
        assert value == pytest.approx(expected, rel=1e-6)
        assert slope == pytest.approx(both, rel=1e-4)


def test_theorem_3():
    """Of a moved normal ±1, of a scaled one ±√(2/π)."""
    signs = [-1, 1, 1, -np.sqrt(2 / np.pi), np.sqrt(2 / np.pi)]
    for row, expected in zip(lecture_figures.theorem_3(2), signs, strict=True):
        assert row["dW/dθ"] == pytest.approx(expected, rel=1e-4)
        assert row["−E ∂f/∂θ"] == pytest.approx([expected] * 2, rel=0.02)


def test_likelihood_prefers_a_blur_to_missing_modes():
    data, blurred, three = lecture_figures.log_likelihoods(1)
    means = [row["log-likelihood (nats)"][0] for row in (data, blurred, three)]
    assert means == sorted(means, reverse=True)
    assert blurred["high quality"][0] < 0.05 < 0.95 < three["high quality"][0]


def test_pages_and_figures(tmp_path):
    EXHIBITS["lecture_figures"].run(tmp_path / "a", 1)
    names = {path.name for path in (tmp_path / "a" / "figures").iterdir()}
    assert names == {
        f"{x}.png" for x in ("distances", "costs", "critics", "fixed_points")
    }
    assert "Theorem 3" in (tmp_path / "a" / "table.md").read_text()
