import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

from logan_tf.data.points import Ring
from logan_tf.errors import ConfigurationError
from logan_tf.plots import pictures


def _images(num, height=4, width=6, channels=3):
    generator = np.random.default_rng(0)
    return generator.integers(0, 255, (num, height, width, channels), np.uint8)


def _opened(path) -> np.ndarray:
    pixels = matplotlib.image.imread(path)
    return np.round(255 * pixels[..., :3]).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 3])
def test_every_pixel_stands_where_it_belongs(channels, scale, tmp_path):
    images = _images(5, channels=channels)
    pictures.save_grid(tmp_path / "new" / "grid.png", images, columns=2, scale=scale)
    found = _opened(tmp_path / "new" / "grid.png")
    line = max(1, scale // 2)
    high, wide = 4 * scale + line, 6 * scale + line
    assert found.shape == (3 * high - line, 2 * wide - line, 3)
    expected = np.full_like(found, 255)
    for i, image in enumerate(images):
        for y in range(4 * scale):
            for x in range(6 * scale):
                pixel = image[y // scale, x // scale]
                expected[i // 2 * high + y, i % 2 * wide + x] = pixel
    np.testing.assert_array_equal(found, expected)


def test_a_grid_of_digits_is_square_and_comfortable():
    tiled = pictures.grid(_images(64, 16, 16))
    assert tiled.shape[0] == tiled.shape[1]
    assert 600 <= tiled.shape[0] <= 700
    # Images larger than that are not shrunk.
    assert pictures.grid(_images(1, 900, 900)).shape == (900, 900, 3)


def test_a_grid_is_never_wider_than_its_images():
    assert pictures.grid(_images(2), columns=8, scale=1).shape == (4, 13, 3)


@pytest.mark.parametrize(
    ("images", "columns", "scale"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), None, None),
        (np.zeros((2, 4, 4, 2), np.uint8), None, None),
        (np.zeros((0, 4, 4, 3), np.uint8), None, None),
        (np.zeros((2, 4, 4, 3), np.uint8), 0, None),
        (np.zeros((2, 4, 4, 3), np.uint8), None, 0),
    ],
)
def test_bad_grids_are_refused(images, columns, scale, tmp_path):
    with pytest.raises(ConfigurationError, match="grid"):
        pictures.save_grid(tmp_path / "grid.png", images, columns, scale)
    assert list(tmp_path.iterdir()) == []


def test_a_scatter_plot_shows_points_modes_and_data(tmp_path):
    ring = Ring()
    none = np.full((1, 2), 99.0)  # outside of the frame

    def colors(name, points, **arguments):
        pictures.scatter(
            tmp_path / name, points, ring.modes, ring.sigma, title="Ring", **arguments
        )
        pixels = _opened(tmp_path / name)
        assert pixels.shape == (1000, 1000, 3)
        red, green, blue = pixels.astype(int).transpose(2, 0, 1)
        blueish = (blue - red > 100).sum()
        gray = ((red == green) & (green == blue) & (abs(red - 191) < 4)).sum()
        return blueish, gray

    empty = colors("empty.png", none)
    points = colors("points.png", ring.modes * 0.5)
    data = colors("data.png", none, real=ring.modes * 0.7)
    # The legend's dot is blue too; eight points more are at least 20 pixels each.
    assert points[0] > empty[0] + 8 * 20
    assert data[1] > empty[1] + 8 * 20


def test_points_lie_where_the_axes_say(tmp_path):
    modes = np.array([[-1.0, -1.0], [1.0, 1.0]])
    centers = []
    for point in ([0.0, 0.0], [0.5, 0.0], [0.0, 0.5]):
        pictures.scatter(tmp_path / "p.png", np.array([point]), modes, 0.01)
        pixels = _opened(tmp_path / "p.png")[:850].astype(int)  # without the legend
        centers.append(np.argwhere(pixels[..., 2] - pixels[..., 0] > 100).mean(axis=0))
    (down, right), (_, further), (up, _) = centers
    assert further - right > 100
    assert down - up == pytest.approx(further - right, abs=2)


def test_a_scatter_plot_takes_points_only(tmp_path):
    with pytest.raises(ConfigurationError, match=r"\[n, 2\]"):
        pictures.scatter(tmp_path / "p.png", np.zeros((4, 3)), np.zeros((1, 2)), 0.1)


def test_the_global_state_of_pyplot_is_left_alone():
    code = "import sys, logan_tf.plots.pictures; assert 'pyplot' not in sys.modules"
    code += "; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rows_have_their_names_before_them(tmp_path):
    """Each name is ink in the height of its row, and the grid stays as it was."""
    images = _images(6, 32, 32)
    names = ["cat", "", "$a_b$ " + 40 * "long"]
    pictures.save_grid(tmp_path / "plain.png", images, 2)
    pictures.save_grid(tmp_path / "named.png", images, 2, rows=names)
    plain, named = (
        matplotlib.image.imread(tmp_path / f"{name}.png") for name in ("plain", "named")
    )
    strip, rest = np.split(named, [named.shape[1] - plain.shape[1]], axis=1)
    np.testing.assert_array_equal(rest, plain)
    ink = [(part < 0.5).any(axis=-1) for part in np.array_split(strip, 3)]
    assert [part.any() for part in ink] == [True, False, True]
    assert not any(part[:, [0, -1]].any() for part in ink)  # Nothing is cut off.


def test_channels_stand_apart_behind_their_picture(monkeypatch, tmp_path):
    """What is handed to the figure: picture, red, green, blue, as gray tiles."""
    panels = {}
    monkeypatch.setattr(
        pictures, "_save_panels", lambda path, found, title: panels.update(found)
    )
    images = _images(2, height=5, width=5)
    pictures.save_apart(tmp_path / "x.png", {"real": images})
    (picture,) = panels.values()
    scale = round(640 / 20)
    line = scale // 2
    assert picture.shape == (10 * scale + line, 20 * scale + 3 * line, 3)
    for row, image in enumerate(images):
        for column in range(4):
            top, left = (place * (5 * scale + line) for place in (row, column))
            tile = picture[
                top : top + 5 * scale : scale, left : left + 5 * scale : scale
            ]
            channel = slice(None) if column == 0 else slice(column - 1, column)
            np.testing.assert_array_equal(
                tile, np.broadcast_to(image[..., channel], tile.shape)
            )
    monkeypatch.undo()
    pictures.save_apart(tmp_path / "x.png", {"generated": images, "real": images})
    assert _opened(tmp_path / "x.png").shape[1] > 1000
    with pytest.raises(ConfigurationError, match="three channels"):
        pictures.save_apart(tmp_path / "x.png", {"real": images[..., :1]})
