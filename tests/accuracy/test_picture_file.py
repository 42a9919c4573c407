"""Pictures on disk: what was written is read, whatever interrupts the writing."""

import resource

import numpy as np
import pytest

from logan_tf.accuracy import picture_file
from logan_tf.accuracy.picture_file import PictureFile
from logan_tf.errors import BadDataError

SHAPE = (3, 2, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (50, *SHAPE), np.uint8)


def parts(first=0, size=10):
    return (IMAGES[i : i + size] for i in range(first, len(IMAGES), size))


def never(num):
    pass


@pytest.fixture
def images(tmp_path):
    return PictureFile(tmp_path / "folder" / "pictures.uint8", SHAPE)


def test_rows_in_any_order_and_more_than_once(images):
    assert len(images) == 0
    seen = []
    images.extend(parts(), seen.append)
    assert (len(images), seen) == (50, [10] * 5)
    indices = np.array([49, 0, 7, 7, 30])
    found = PictureFile(images.path, SHAPE).rows(indices)
    np.testing.assert_array_equal(found, IMAGES[indices])
    assert images.path.stat().st_size == IMAGES.nbytes


def test_writing_goes_on_behind_what_is_safe(images, monkeypatch):
    """What follows the last note may be anything: it is written again."""
    monkeypatch.setattr(picture_file, "_SYNC_BYTES", 2 * IMAGES[:10].nbytes)

    def killed():
        yield from (IMAGES[:10], IMAGES[10:20], IMAGES[20:30])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.extend(killed(), never)
    with images.path.open("ab") as file:
        file.write(b"half a picture")
    again = PictureFile(images.path, SHAPE)
    assert len(again) == 20
    again.extend(parts(first=20), never)
    np.testing.assert_array_equal(again.rows(np.arange(50)), IMAGES)


@pytest.mark.parametrize("damage", ["short", "note"])
def test_a_damaged_file_is_begun_anew(images, damage):
    images.extend(parts(), never)
    if damage == "short":
        with images.path.open("r+b") as file:
            file.truncate(100)
    else:
        images.path.with_name("pictures.uint8.json").write_text("{")
    again = PictureFile(images.path, SHAPE)
    assert len(again) == 0
    again.extend(parts(), never)
    np.testing.assert_array_equal(again.rows(np.arange(50)), IMAGES)


def test_a_full_disk_is_one_line(images):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(BadDataError, match="--work_dir"):
            images.extend(parts(), never)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    images.extend(parts(len(images)), never)
    np.testing.assert_array_equal(images.rows(np.arange(50)), IMAGES)


def test_too_many_pictures_are_refused_before_any_is_drawn(images):
    images.require_room(1000)
    with pytest.raises(BadDataError, match=r"GiB.*--work_dir"):
        images.require_room(10**15)


def test_other_pictures_are_refused(images):
    for other in (IMAGES[:, :2], IMAGES.astype(np.float32)):
        with pytest.raises(BadDataError, match="uint8"):
            images.extend([other], never)
