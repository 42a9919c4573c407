"""The film of a training."""

import numpy as np
import pytest
from PIL import Image

from logan_tf.errors import BadDataError
from logan_tf.plots import animation

STRIP = 36


@pytest.fixture
def pictures(tmp_path):
    """(count, size) -> PNGs by step, each of one shade, lighter and lighter."""

    def make(count: int, size: int = 64) -> dict:
        found = {}
        for number in range(count):
            found[500 * number] = tmp_path / f"step-{500 * number:08d}.png"
            shade = np.full((size, size, 3), 2 * number, np.uint8)
            Image.fromarray(shade).save(found[500 * number])
        return found

    return make


def frames(path) -> list[np.ndarray]:
    with Image.open(path) as film:
        shown = []
        for number in range(film.n_frames):
            film.seek(number)
            shown.append(np.array(film.convert("RGB")))
        return shown


def test_frames_are_the_pictures_under_their_steps(pictures, tmp_path):
    path = tmp_path / "film.gif"
    # Whatever order they are given in.
    assert animation.save(path, dict(reversed(pictures(4, 200).items()))) == 4
    shown = frames(path)
    assert [frame.shape for frame in shown] == [(200 + STRIP, 200, 3)] * 4
    for number, frame in enumerate(shown):
        assert (frame[STRIP:] == 2 * number).all()
        assert frame[:STRIP].min() < 80  # the letters
        assert (frame[:3] == 255).all()
    titles = {frame[:STRIP].tobytes() for frame in shown}
    assert len(titles) == 4
    with Image.open(path) as film:
        assert film.info["loop"] == 0
        assert film.info["duration"] == 160
        film.seek(3)
        assert film.info["duration"] == 2500


def test_a_long_training_is_thinned_out(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(animation, "_MOST_FRAMES", 5)
    path = tmp_path / "film.gif"
    assert animation.save(path, pictures(9)) == 5
    assert [frame[-1, -1, 0] // 2 for frame in frames(path)] == [0, 2, 4, 6, 8]


def test_what_is_no_picture_of_the_run_is_named(pictures, tmp_path):
    path, given = tmp_path / "film.gif", pictures(3)
    Image.new("RGB", (9, 9)).save(given[500])
    with pytest.raises(BadDataError, match=r"00000500\.png is of another size"):
        animation.save(path, given)
    given[500].write_bytes(given[0].read_bytes()[:60])
    with pytest.raises(BadDataError, match=r"00000500\.png cannot be read"):
        animation.save(path, given)
    assert not path.exists()
