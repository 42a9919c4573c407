import numpy as np
import pytest

from logan_tf.data.points import Grid, Ring
from logan_tf.errors import ConfigurationError


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
        lambda: Ring(sigma=-1.0),
        lambda: Grid(sigma=float("nan")),
    ],
)
def test_impossible_mixtures_are_refused(make):
    with pytest.raises(ConfigurationError, match="at least"):
        make()
