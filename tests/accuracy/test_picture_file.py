"""Pictures on disk: what was written is read, whatever interrupts the writing."""

import resource

import numpy as np
import pytest

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
    made = PictureFile(tmp_path / "folder" / "pictures.uint8", SHAPE)
    made.require_room(50)
    return made


def test_rows_in_any_order_and_more_than_once(images):
    assert len(images) == 0
    seen = []
    images.extend(0, parts(), seen.append)
    assert (len(images), seen) == (50, [10] * 5)
    indices = np.array([49, 0, 7, 7, 30])
    found = PictureFile(images.path, SHAPE).mapped()[indices]
    np.testing.assert_array_equal(found, IMAGES[indices])
    assert images.path.stat().st_size == IMAGES.nbytes


def test_writing_goes_on_behind_what_is_whole(images):
    def killed():
        yield from (IMAGES[:10], IMAGES[10:20], IMAGES[20:30])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.extend(0, killed(), never)
    with images.path.open("ab") as file:
        file.write(b"half")
    again = PictureFile(images.path, SHAPE)
    assert len(again) == 30
    again.extend(20, parts(first=20), never)
    np.testing.assert_array_equal(again.mapped(), IMAGES)


def test_a_full_disk_is_one_line(images):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(BadDataError, match="--work_dir"):
            images.extend(0, parts(), never)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    images.extend(10, parts(10), never)
    np.testing.assert_array_equal(images.mapped(), IMAGES)


def test_too_many_pictures_are_refused_before_any_is_drawn(images):
    with pytest.raises(BadDataError, match=r"GiB.*--work_dir"):
        images.require_room(10**15)
