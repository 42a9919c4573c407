import numpy as np
import pytest

from logan_tf.data.points import Grid, Ring, SwissRoll
from logan_tf.errors import ConfigurationError
from logan_tf.metrics.modes import point_modes


def _draw(mixture, count=20_000):
    images, labels = next(iter(mixture.examples(seed=(1, 0), first=0, count=count)))
    return images.numpy(), labels.numpy()


def test_ring_modes_lie_on_the_circle():
    modes = Ring().modes
    assert modes.shape == (8, 2)
    np.testing.assert_allclose(np.hypot(*modes.T), 2.0)
    root = np.sqrt(2)
    np.testing.assert_allclose(modes[:3], [(2, 0), (root, root), (0, 2)], atol=1e-12)


def test_grid_modes_are_centered():
    modes = Grid().modes
    assert {tuple(m) for m in modes} == {
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    }
    np.testing.assert_array_equal(modes[1], [-2, -4])


@pytest.mark.parametrize("mixture", [Ring(), Grid()])
def test_points_are_normal_about_equally_likely_modes(mixture):
    points, labels = _draw(mixture)
    noise = (points - mixture.modes[labels]) / mixture.sigma
    assert np.abs(noise.mean(axis=0)).max() < 0.03  # 4 standard deviations.
    np.testing.assert_allclose(np.cov(noise.T), np.eye(2), atol=0.05)
    assert abs((noise**4).mean() - 3) < 0.25  # A normal's kurtosis.
    n = mixture.num_classes
    counts = np.bincount(labels, minlength=n)
    expected = len(labels) / n
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < (n - 1) + 5 * np.sqrt(2 * (n - 1))


def test_a_swiss_roll_is_a_spiral_with_noise():
    exact, labels = _draw(SwissRoll(sigma=0.0))
    radius = np.hypot(*exact.T) * 7.5
    # The angle is the radius, uniform from 1.5π to 4.5π.
    np.testing.assert_allclose(exact[:, 0] * 7.5, radius * np.cos(radius), atol=1e-4)
    np.testing.assert_allclose(exact[:, 1] * 7.5, radius * np.sin(radius), atol=1e-4)
    shares = np.sort((radius - 1.5 * np.pi) / (3 * np.pi))
    even = (np.arange(len(shares)) + 0.5) / len(shares)
    assert np.abs(shares - even).max() < 1.63 / np.sqrt(len(shares))  # Kolmogorov's
    pieces = ((radius - 1.5 * np.pi) / (3 * np.pi) * 200).astype(int)
    assert (pieces == labels).mean() > 0.999  # Rounding at the ends.
    noisy, _ = _draw(SwissRoll())
    noise = (noisy - exact) / 0.03
    np.testing.assert_allclose(np.cov(noise.T), np.eye(2), atol=0.05)


def test_a_swiss_rolls_pieces_are_close_enough():
    """Of real points nearly all are of high quality."""
    roll = SwissRoll()
    found = point_modes(_draw(roll)[0], roll.modes, roll.sigma)
    assert found.modes == 200
    assert found.high_quality > 0.95


def test_arguments_move_the_modes():
    ring, grid = Ring(3, 5.0, 0.0), Grid(2, 1.0, 0.0)
    points, labels = _draw(ring, 50)
    np.testing.assert_allclose(points, ring.modes[labels], atol=1e-6)
    assert (ring.num_classes, ring.sigma, ring.shape) == (3, 0.0, (2,))
    assert np.abs(grid.modes).tolist() == [[0.5, 0.5]] * 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ring(0),
        lambda: Grid(0),
        lambda: SwissRoll(0),
        lambda: Ring(sigma=-1.0),
        lambda: Grid(sigma=float("nan")),
    ],
)
def test_impossible_mixtures_are_refused(make):
    with pytest.raises(ConfigurationError, match="at least"):
        make()
