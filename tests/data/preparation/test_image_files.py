import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from logan_tf.data.preparation import image_files
from logan_tf.data.preparation.image_files import UnusableError


def _pixels(height=9, width=12):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


PIXELS = _pixels()
GRAY = PIXELS[..., :1]
WIDE = np.minimum(GRAY[..., 0].astype(np.uint16) * 257 + 100, 65535)
IMAGE = Image.fromarray(PIXELS)


def _rgba():
    alpha = np.full((9, 12, 1), 51, np.uint8)  # A fifth.
    return Image.fromarray(np.concatenate([PIXELS, alpha], -1))


def _over_white(pixels, alpha):
    return np.rint(pixels * alpha + 255 * (1 - alpha))


def _png_with_gap():
    """A palette of which the first color is transparent."""
    image = Image.fromarray((GRAY[..., 0] % 2), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    return image


def _read(path):
    with image_files.pixel_cap(1000):
        return image_files.read(path)


@pytest.mark.parametrize(
    ("name", "image", "options", "expected"),
    [
        ("rgb.png", IMAGE, {}, PIXELS),
        ("rgb.bmp", IMAGE, {}, PIXELS),
        ("rgb.ppm", IMAGE, {}, PIXELS),
        ("rgb.tiff", IMAGE, {}, PIXELS),
        ("rgb.webp", IMAGE, {"lossless": True}, PIXELS),
        ("a png in truth.jpg", IMAGE, {"format": "PNG"}, PIXELS),
        ("gray.png", Image.fromarray(GRAY[..., 0]), {}, GRAY),
        ("bits.png", Image.fromarray(GRAY[..., 0] > 99), {}, (GRAY > 99) * 255),
        ("16 bits.png", Image.fromarray(WIDE), {}, GRAY),
        ("16 bits.tif", Image.fromarray(WIDE), {}, GRAY),
        ("16 bits.pgm", Image.fromarray(WIDE.astype(np.int32)), {}, GRAY),
        ("32 bits.tif", Image.fromarray(WIDE.astype(np.int32)), {}, GRAY),
        ("cmyk.tif", IMAGE.convert("CMYK"), {}, PIXELS),
        ("rgba.png", _rgba(), {}, _over_white(PIXELS, 0.2)),
        ("la.png", _rgba().convert("LA"), {}, None),
        (
            "palette.png",
            _png_with_gap(),
            {"transparency": 0},
            np.where(GRAY % 2 == 0, 255, [40, 50, 60]),
        ),
        (
            "palette.gif",
            _png_with_gap(),
            {},
            np.where(GRAY % 2 == 0, [10, 20, 30], [40, 50, 60]),
        ),
        (
            "first of two.gif",
            Image.new("L", (12, 9), 70),
            {"save_all": True, "append_images": [Image.new("L", (12, 9), 200)]},
            np.full((9, 12, 3), 70),
        ),
    ],
)
def test_every_kind_becomes_rgb(name, image, options, expected, tmp_path):
    image.save(tmp_path / name, **options)
    found = _read(tmp_path / name)
    assert (found.dtype, found.shape) == (np.uint8, (9, 12, 3))
    if expected is None:
        gray = np.asarray(_rgba().convert("L")).astype(float)[..., None]
        expected = _over_white(gray, 0.2)
    expected = np.broadcast_to(expected, found.shape).astype(float)
    assert np.abs(found - expected).max() <= (1 if image.mode in ("RGBA", "LA") else 0)


def test_a_cmyk_jpeg_as_cameras_and_printers_write_it(tmp_path):
    """Pillow writes Adobe's inverted CMYK; read as plain it would be a negative."""
    Image.new("RGB", (16, 16), (200, 100, 50)).convert("CMYK").save(
        tmp_path / "cmyk.jpg", quality=100
    )
    found = _read(tmp_path / "cmyk.jpg")
    assert np.abs(found - np.array([200.0, 100, 50])).max() <= 4


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(3, PIXELS[::-1, ::-1]), (6, np.rot90(PIXELS, -1)), (8, np.rot90(PIXELS))],
)
def test_the_orientation_of_exif_is_followed(orientation, turned, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    IMAGE.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(_read(tmp_path / "a.png"), turned)


def test_garbled_exif_is_ignored(tmp_path):
    IMAGE.save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbled")
    np.testing.assert_array_equal(_read(tmp_path / "a.png"), PIXELS)


def _chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
    )


def _bomb(width=60_000, height=60_000):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(9)))
        + _chunk(b"IEND", b"")
    )


def _saved(tmp_path, image, **options):
    image.save(tmp_path / "saved", **options)
    return (tmp_path / "saved").read_bytes()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda tmp: b"", "empty file"),
        (lambda tmp: b"no picture", "no JPEG, PNG"),
        (lambda tmp: _saved(tmp, IMAGE, format="PNG")[:300], "damaged: .*truncated"),
        (lambda tmp: _saved(tmp, IMAGE, format="JPEG")[:-20], "damaged: .*truncated"),
        (lambda tmp: _saved(tmp, IMAGE, format="EPS"), "no JPEG, PNG"),
        (
            lambda tmp: _saved(tmp, Image.new("F", (2, 2)), format="TIFF"),
            "floats",
        ),
        (
            lambda tmp: _saved(
                tmp, Image.fromarray(np.full((2, 2), 70_000, np.int32)), format="TIFF"
            ),
            "more than 16 bits",
        ),
        (lambda tmp: _bomb(), r"more than 1,000 pixels .*--max_pixels"),
        (lambda tmp: _bomb(1001, 1), r"more than 1,000 pixels"),
        (
            lambda tmp: _saved(tmp, Image.new("L", (40, 26)), format="GIF"),
            r"more than 1,000 pixels",
        ),
    ],
)
def test_what_is_no_picture_says_why(make, reason, tmp_path):
    (tmp_path / "a.png").write_bytes(make(tmp_path))
    with pytest.raises(UnusableError, match=reason) as caught:
        _read(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_decoded(tmp_path, monkeypatch):
    def decoded(*_):
        raise AssertionError

    monkeypatch.setattr(Image.Image, "load", decoded)
    (tmp_path / "a.png").write_bytes(_bomb())
    with pytest.raises(UnusableError, match="pixels"):
        _read(tmp_path / "a.png")


def test_a_pipe_and_a_broken_link_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("nowhere")
    for name in ("pipe.png", "link.png"):
        with pytest.raises(UnusableError, match="no file"):
            _read(tmp_path / name)


def test_the_cap_is_put_back():
    before = Image.MAX_IMAGE_PIXELS
    with image_files.pixel_cap(7):
        assert Image.MAX_IMAGE_PIXELS == 7
    assert before == Image.MAX_IMAGE_PIXELS


def _packed_png(values, bits, key=()):
    """Gray [h, w] or color [h, w, 3] of so many bits, maybe one transparent."""
    height, width, *channels = values.shape
    color_type = 2 if channels else 0
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    rows = []
    for row in values.reshape(height, -1):
        digits = "".join(f"{value:0{bits}b}" for value in row)
        digits += "0" * (-len(digits) % 8)
        rows.append(b"\0" + int(digits, 2).to_bytes(len(digits) // 8))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + (_chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)) if len(key) else b"")
        + _chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + _chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("share", [0, 0.4])
def test_a_transparent_gray_of_any_bits_is_laid_over_white(bits, share, tmp_path):
    values = np.random.default_rng(0).integers(0, 2**bits, (9, 12))
    key = values[0, 0] = int(share * 2**bits)
    (tmp_path / "a.png").write_bytes(_packed_png(values, bits, [key]))
    eight = np.rint(values * (255 / (2**bits - 1)))
    expected = np.where(values == key, 255, eight)[..., None]
    np.testing.assert_array_equal(_read(tmp_path / "a.png") - expected, 0)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_color_is_one_color_of_all_its_bits(bits, tmp_path):
    """And no other of the same upper bytes."""
    values = np.random.default_rng(0).integers(0, 2**bits, (9, 12, 3))
    values[0, 1] = values[0, 0] ^ 1
    key = values[0, 0]
    content = _packed_png(values, bits, key)
    (tmp_path / "a.png").write_bytes(content)
    expected = values >> (bits - 8)
    expected[0, 0] = 255
    np.testing.assert_array_equal(_read(tmp_path / "a.png"), expected)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = _chunk(b"eXIf", exif.tobytes()[6:])
    (tmp_path / "a.png").write_bytes(content[:33] + turned + content[33:])
    np.testing.assert_array_equal(_read(tmp_path / "a.png"), np.rot90(expected, -1))


def _with_tag(content, tag, value):
    """A little-endian TIFF in which a tag of one 16-bit number has another."""
    start = content.index(struct.pack("<HHI", tag, 3, 1))
    return content[: start + 8] + struct.pack("<H", value) + content[start + 10 :]


@pytest.mark.parametrize("orientation", [1, 3])
@pytest.mark.parametrize("gray", [GRAY[..., 0], WIDE], ids=["8", "16"])
def test_a_tiff_of_which_0_is_white(gray, orientation, tmp_path):
    tags = {0x0112: orientation}
    content = _saved(tmp_path, Image.fromarray(gray), format="TIFF", tiffinfo=tags)
    (tmp_path / "a.tif").write_bytes(_with_tag(content, 262, 0))
    expected = np.broadcast_to(255 - GRAY, (9, 12, 3))
    if orientation == 3:
        expected = expected[::-1, ::-1]
    np.testing.assert_array_equal(_read(tmp_path / "a.tif"), expected)


def test_signed_16_bits_are_set_aside(tmp_path):
    for values in (WIDE // 2, WIDE):
        image = Image.fromarray(values)
        image.save(tmp_path / "a.tif", tiffinfo={339: 2})
        with pytest.raises(UnusableError, match="are signed"):
            _read(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [1, 7, 8, 12])
@pytest.mark.parametrize("kind", ["png", "tif", "int32.tif", "rgb.png"])
def test_few_bits_in_many_are_not_taken_for_black(kind, bits, tmp_path):
    values = WIDE >> (16 - bits)
    path = tmp_path / f"a.{kind}"
    if kind == "rgb.png":
        colors = np.repeat(values[..., None], 3, -1).astype(int)
        path.write_bytes(_packed_png(colors, 16))
    else:
        values = values.astype(np.int32) if kind == "int32.tif" else values
        Image.fromarray(values).save(path)
    with pytest.raises(UnusableError, match=r"16 bits are .*: scale them to 65535"):
        _read(path)


def test_a_black_picture_of_16_bits_is_black(tmp_path):
    Image.fromarray(np.zeros((9, 12), np.uint16)).save(tmp_path / "a.png")
    assert _read(tmp_path / "a.png").max() == 0


def test_large_metadata_is_no_damage(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * 2_000_000, zip=True)
    info.add_itxt("XML:com.adobe.xmp", "<x/>" * 600_000, zip=True)
    IMAGE.save(tmp_path / "a.png", pnginfo=info, icc_profile=bytes(2_000_000))
    before = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    np.testing.assert_array_equal(_read(tmp_path / "a.png"), PIXELS)
    assert before == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)
