"""Pictures as data URIs: small ones as they are, large ones made small."""

import base64
import io

import numpy as np
import PIL.Image
import pytest

from logan_tf.report import inlined_pictures
from logan_tf.report.inlined_pictures import inline


def save(path, height, width, channels=3, noise=False) -> np.ndarray:
    shape = (height, width, channels)
    pixels = np.zeros(shape, np.uint8)
    pixels[: height // 2] = 200
    if noise:
        pixels = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    return pixels


def opened(inlined) -> PIL.Image.Image:
    head, _, encoded = inlined.uri.partition(",")
    image = PIL.Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
    assert head == f"data:image/{image.format.lower()};base64"
    assert image.size == (inlined.width, inlined.height)
    return image


def test_a_small_picture_is_the_file(tmp_path):
    save(tmp_path / "a.png", 30, 20, channels=4)
    encoded = inline(tmp_path / "a.png", 30).uri.partition(",")[2]
    assert base64.b64decode(encoded) == (tmp_path / "a.png").read_bytes()


def test_a_large_picture_shrinks_and_keeps_its_shape(tmp_path):
    save(tmp_path / "a.png", 300, 200)
    image = opened(inline(tmp_path / "a.png", 30))
    assert image.size == (20, 30)
    pixels = np.asarray(image)
    assert np.all(abs(pixels[:12] - 200.0) < 3)
    assert np.all(pixels[18:] < 3)


def test_what_png_cannot_make_small_is_jpeg(tmp_path, monkeypatch):
    monkeypatch.setattr(inlined_pictures, "_MOST_BYTES", 20_000)
    pixels = save(tmp_path / "a.png", 100, 90, noise=True)
    image = opened(inline(tmp_path / "a.png", 100))
    assert image.format == "JPEG"
    assert abs(np.asarray(image, float) - pixels).mean() < 15


@pytest.mark.parametrize(
    "contents", [None, b"", b"\x89PNG\r\n\x1a\n", b"<svg onload='alert(1)'/>", "half"]
)
def test_what_cannot_be_read(contents, tmp_path):
    path = tmp_path / "a.png"
    if contents == "half":
        save(path, 50, 50, noise=True)
        contents = path.read_bytes()[:4000]
    if contents is not None:
        path.write_bytes(contents)
    assert inline(path, 100) is None
    assert inline(tmp_path, 100) is None


def test_a_picture_that_would_fill_the_memory(tmp_path, monkeypatch):
    save(tmp_path / "a.png", 50, 50)
    for pixels in (1000, 1500):  # 2,500 are an error above the double, a warning below
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", pixels)
        assert inline(tmp_path / "a.png", 100) is None
