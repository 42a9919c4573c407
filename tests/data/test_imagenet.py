"""imagenet2012 by TFDS, from archives as small as archives can be."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from logan_tf.data import batch, pixels
from logan_tf.data.image_records import ImageRecords
from logan_tf.data.preparation import image_files, sources, writing
from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import ConfigurationError

CLASSES = ("n01440764", "n02123045", "n03792782")  # A fish, a cat, a bicycle.


def _jpeg(number):
    height, width = 20 + number, 31
    noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    return tf.io.encode_jpeg(noise).numpy()


def _tar(files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


TRAIN = _tar(
    {
        f"{name}.tar": _tar({f"{name}_{n}.JPEG": _jpeg(10 * i + n) for n in range(4)})
        for i, name in enumerate(CLASSES)
    }
)
VALIDATION = _tar({f"ILSVRC2012_val_{n:08}.JPEG": _jpeg(50 + n) for n in range(1, 4)})
TEST = _tar({f"ILSVRC2012_test_{n:08}.JPEG": _jpeg(60 + n) for n in range(2)})


def _archives(data_dir, **archives):
    folder = data_dir / "downloads" / "manual"
    folder.mkdir(parents=True)
    for name, content in archives.items():
        (folder / f"ILSVRC2012_img_{name}.tar").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """TFDS's folder, with ImageNet's three splits."""
    data_dir = tmp_path_factory.mktemp("imagenet")
    _archives(data_dir, train=TRAIN, val=VALIDATION, test=TEST)
    images = TFDSImages("imagenet2012", 8, data_dir=str(data_dir))
    images.arrays("train")
    return str(data_dir)


def test_pictures_are_the_areas_of_the_central_square(imagenet):
    dataset = TFDSImages("imagenet2012", 8, data_dir=imagenet, test_split="validation")
    assert (dataset.shape, dataset.num_classes) == ((8, 8, 3), 1000)
    images, labels = dataset.arrays("train")
    names = [dataset.class_names[label] for label in labels]
    assert sorted(names) == sorted(CLASSES * 4)
    expected = {
        pixels.resize(tf.io.decode_jpeg(_jpeg(10 * i + n)), 8).numpy().tobytes(): name
        for i, name in enumerate(CLASSES)
        for n in range(4)
    }
    assert len(expected) == 12
    for image, name in zip(images, names, strict=True):
        assert expected[image.tobytes()] == name
    assert len(dataset.arrays("test")[0]) == 3
    streamed = TFDSImages("imagenet2012", 8, data_dir=imagenet, limit=0)
    drawn = next(iter(batch.batches(streamed, batch_size=12, latent_dim=2, seed=0)))
    found = np.rint((drawn.images.numpy()[:, 0] + 1) * 127.5).astype(np.uint8)
    assert {x.tobytes() for x in found} == set(expected)


def test_imagenet_is_too_large_for_memory():
    """1,281,167 pictures of 128 pixels: 63 GB, streamed without being asked to."""
    dataset = TFDSImages("imagenet2012", 128)
    assert 1_281_167 * np.prod(dataset.shape) > 20 * dataset._limit


def test_the_choice_of_a_flip_is_in_the_identity(imagenet):
    def identity(**settings):
        return TFDSImages("imagenet2012", 8, data_dir=imagenet, **settings).identity

    plain = "imagenet2012/5.1.0 train and test 8x8x3 central square, area"
    assert identity() == plain
    assert identity(flip=True) == f"{plain}, mirrored at random to train on"


def test_labels_that_no_class_has_are_refused(imagenet):
    """The pictures of ImageNet's test split all have the label -1."""
    dataset = TFDSImages("imagenet2012", 8, data_dir=imagenet)
    for use in (dataset.arrays, lambda split: list(dataset.ordered(split))):
        with pytest.raises(
            ConfigurationError,
            match=r"-1 is a label of none of the 1000 classes of split 'test'",
        ):
            use("test")


def test_fewer_classes_than_labels_are_refused_before_streaming(imagenet):
    dataset = TFDSImages("imagenet2012", 8, data_dir=imagenet, num_classes=9, limit=0)
    with pytest.raises(
        ConfigurationError, match=r"labels 0 to 999, and TFDSImages\.num_classes is 9"
    ):
        dataset.examples(seed=(0, 0), first=0, count=1)


@pytest.mark.parametrize("archives", [{}, {"train": TRAIN}])
def test_missing_archives_say_which_and_where(archives, tmp_path):
    folder = _archives(tmp_path, **archives)
    dataset = TFDSImages("imagenet2012", 8, data_dir=str(tmp_path))
    with pytest.raises(ConfigurationError) as caught:
        dataset.examples(seed=(0, 0), first=0, count=1)
    (line,) = str(caught.value).splitlines()
    assert f"ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar into {folder}" in line


def test_a_split_without_its_archive_says_what_to_do(tmp_path):
    folder = _archives(tmp_path, val=VALIDATION)
    dataset = TFDSImages("imagenet2012", 8, data_dir=str(tmp_path))
    with pytest.raises(ConfigurationError, match="use one of validation") as caught:
        dataset.examples(seed=(0, 0), first=0, count=1)
    assert f"put the archive of the missing one into {folder}" in str(caught.value)


def test_mocked_data_trains(tmp_path):
    with tfds.testing.mock_data(num_examples=6):
        dataset = TFDSImages("imagenet2012", 16, data_dir=str(tmp_path), flip=True)
        drawn = next(iter(batch.batches(dataset, batch_size=6, latent_dim=2, seed=0)))
    assert drawn.images.shape == (6, 1, 16, 16, 3)
    assert (drawn.labels.numpy() < 1000).all()


def test_prepared_once_it_is_the_same_data_set(imagenet, tmp_path):
    source = sources.TFDSSource("imagenet2012", 8, "train", "validation", imagenet)
    (tmp_path / "out").mkdir()
    with image_files.pixel_cap(image_files.MAX_PIXELS):
        writing.Preparation(source, tmp_path / "out", 8, 4).run(lambda *_: None)
    direct = TFDSImages("imagenet2012", 8, data_dir=imagenet, test_split="validation")
    records = ImageRecords(str(tmp_path / "out"))
    assert records.identity == direct.identity
    assert records.class_names == direct.class_names
    for split in ("train", "test"):
        for expected, found in zip(
            direct.arrays(split), records.arrays(split), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("split", "test_split", "message"),
    [
        ("trian", "", r"no split 'trian': use one of [a-z, ]*$"),
        ("train", "vali", "no split 'vali': use one of .* or none: --test_split=$"),
        ("train[:2]", "", r"no split 'train\[:2\]'"),
    ],
)
def test_unknown_splits_to_prepare(split, test_split, message, imagenet):
    with pytest.raises(ConfigurationError, match=message):
        sources.TFDSSource("imagenet2012", 8, split, test_split, imagenet)


def test_without_a_held_out_split(imagenet):
    source = sources.TFDSSource("imagenet2012", 8, test_split="", data_dir=imagenet)
    assert source.planned == {"train": 12, "test": 0}
    assert source.identity("") == "imagenet2012/5.1.0 train 8x8x3 central square, area"
