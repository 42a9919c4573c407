import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from logan_tf.data import batch, prepared
from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import BadDataError, ConfigurationError


@pytest.mark.parametrize(
    ("name", "channels", "stored"),
    [("cifar10", 3, 3), ("mnist", 1, 1), ("mnist", 3, 1)],
)
def test_data_sets_of_tfds_by_name(name, channels, stored, tmp_path):
    with tfds.testing.mock_data(num_examples=20):
        dataset = TFDSImages(name, 32, channels, data_dir=str(tmp_path))
        assert dataset.shape == (32, 32, channels)
        assert dataset.num_classes == 10
        images, labels = dataset.arrays("train")
        pipeline = batch.batches(dataset, batch_size=20, latent_dim=2, seed=0)
        drawn = next(iter(pipeline))
    assert (images.shape, images.dtype) == ((20, 32, 32, channels), np.uint8)
    if stored != channels:
        assert (images == images[..., :1]).all()
    assert len(np.unique(images)) > 200
    assert sorted(np.ravel(drawn.labels)) == sorted(labels)
    pixels = np.rint((drawn.images.numpy()[:, 0] + 1) * 127.5)
    assert sorted(map(np.sum, pixels)) == sorted(np.sum(images, axis=(1, 2, 3)))


def _fake(features, example):
    """`mock_data` with these features and one example."""

    def as_dataset(self, *args, **kwargs):
        return tf.data.Dataset.from_tensors(example).repeat(4)

    def info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    return as_dataset, info


def test_classes_have_the_names_that_tfds_knows(monkeypatch, tmp_path):
    label = tfds.features.ClassLabel(names=["cat", "dog"])
    features = {"image": tfds.features.Image(shape=(8, 8, 3)), "label": label}
    as_dataset, info = _fake(features, {})
    monkeypatch.setattr(tfds.image_classification.Cifar10, "_info", info)
    with tfds.testing.mock_data(as_dataset_fn=as_dataset):
        dataset = TFDSImages("cifar10", 16, data_dir=str(tmp_path))
        assert dataset.class_names == ["cat", "dog"]


@pytest.mark.parametrize(
    "label", [None, tfds.features.Tensor(shape=(), dtype=tf.int64)]
)
def test_without_a_class_label_each_label_is_0(label, monkeypatch, tmp_path):
    features = {"image": tfds.features.Image(shape=(None, None, 3))}
    features |= {"label": label} if label else {}
    as_dataset, info = _fake(features, {"image": np.zeros((9, 5, 3), np.uint8)})
    monkeypatch.setattr(tfds.image_classification.Cifar10, "_info", info)
    with tfds.testing.mock_data(as_dataset_fn=as_dataset):
        dataset = TFDSImages("cifar10", 16, data_dir=str(tmp_path))
        assert dataset.num_classes == 0
        assert dataset.class_names is None
        images, labels = dataset.arrays("test")
        drawn = next(iter(batch.batches(dataset, batch_size=4, latent_dim=2, seed=0)))
    assert images.shape == (4, 16, 16, 3)
    assert labels.tolist() == [0] * 4
    assert np.ravel(drawn.fake_labels).tolist() == [0] * 4


@pytest.mark.parametrize(
    ("feature", "channels", "message"),
    [
        (tfds.features.Text(), 3, "no feature 'image' of 8 bits"),
        (tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16), 3, "of 8 bits"),
        (tfds.features.Image(shape=(4, 4, 3)), 1, "set channels = 3"),
        (tfds.features.Image(shape=(4, 4, 4)), 3, "4 channels, .* another data set"),
    ],
)
def test_other_features_are_refused_before_any_download(
    feature, channels, message, monkeypatch, tmp_path
):
    _, info = _fake({"image": feature}, {})
    monkeypatch.setattr(tfds.image_classification.Cifar10, "_info", info)
    dataset = TFDSImages("cifar10", 4, channels, data_dir=str(tmp_path))
    with pytest.raises(ConfigurationError, match=message):
        dataset.arrays("train")


def test_without_an_image_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no feature 'image'"):
        TFDSImages("imdb_reviews", 16, data_dir=str(tmp_path)).arrays("train")


@pytest.mark.parametrize("split", ["validation", "train[:0]", "train[", "a b"])
def test_missing_splits_are_refused(split, data_dir):
    dataset = TFDSImages("digits", 8, 1, split, split, data_dir=data_dir)
    for use in (
        lambda: dataset.examples(seed=(0, 0), first=0, count=1),
        lambda: dataset.arrays("test"),
    ):
        with pytest.raises(ConfigurationError, match="use one of train, test"):
            use()


@pytest.mark.parametrize("limit", [0, 2**30])
def test_slices_of_a_split(limit, data_dir):
    dataset = TFDSImages("digits", 8, 1, "train[5:25]", data_dir=data_dir, limit=limit)
    kept = {x.tobytes() for x in dataset.arrays("train")[0]}
    images, _ = next(iter(dataset.examples(seed=(0, 0), first=0, count=20)))
    drawn = np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)
    assert {x.tobytes() for x in drawn} == kept
    assert len(kept) == 20


def test_streamed_examples_come_once_an_epoch(data_dir):
    dataset = TFDSImages("digits", 8, 1, data_dir=data_dir, limit=0, shuffle_buffer=300)
    expected = sorted(
        (int(y), x.tobytes()) for x, y in zip(*dataset.arrays("train"), strict=True)
    )
    pipeline = iter(dataset.examples(seed=(0, 0), first=0, count=1442))
    orders = []
    for _ in range(2):
        images, labels = next(pipeline)
        pixels = np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)
        drawn = [
            (int(y), x.tobytes()) for x, y in zip(pixels, labels.numpy(), strict=True)
        ]
        assert sorted(drawn) == expected
        orders.append(drawn)
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("file_format", "limit"),
    [("tfrecord", 0), ("tfrecord", 2**30), ("array_record", 2**30)],
)
def test_a_label_without_a_class_is_refused(file_format, limit, store_tfds, tmp_path):
    """As each picture of ImageNet's split `test` has."""
    pytest.importorskip("array_record")
    labels = [0, 1, 2, -1]
    store_tfds(tmp_path, "stored", labels=labels, file_format=file_format)
    dataset = TFDSImages("stored", 4, data_dir=str(tmp_path), limit=limit)

    def read():
        try:
            next(iter(dataset.examples(seed=(0, 0), first=0, count=12)))
        except tf.errors.OpError as error:
            batch.require_intact(dataset, error)

    with pytest.raises(ConfigurationError, match="-1 is a label of none of the 3"):
        read()


@pytest.fixture(scope="module")
def array_records(store_tfds, tmp_path_factory):
    pytest.importorskip("array_record")
    data_dir = tmp_path_factory.mktemp("array_records")
    store_tfds(data_dir, "stored", file_format="array_record")
    return data_dir


def test_array_records_are_read(array_records):
    dataset = TFDSImages("stored", 4, data_dir=str(array_records))
    images, labels = dataset.arrays("train")
    numbers = images[:, 0, 0, 0]
    assert sorted(numbers) == list(range(12))
    assert (labels == numbers % 3).all()
    sliced = TFDSImages("stored", 4, split="train[2:7]", data_dir=str(array_records))
    np.testing.assert_array_equal(sliced.arrays("train")[0], images[2:7])
    examples = dataset.examples(seed=(1, 0), first=0, count=12)
    found = np.rint((next(iter(examples))[0][:, 0, 0, 0] + 1) * 127.5)
    assert sorted(found.astype(int)) == list(range(12))


def test_damaged_array_records_are_one_line(array_records, tmp_path):
    data_dir = shutil.copytree(array_records, tmp_path / "copied")
    for path in data_dir.rglob("*.array_record*"):
        content = path.read_bytes()
        path.write_bytes(content[:80] + b"x" * 500 + content[580:])
    dataset = TFDSImages("stored", 4, data_dir=str(data_dir))
    with pytest.raises(BadDataError, match=r"stored in .* cannot be read .*: delete"):
        dataset.arrays("train")


def test_array_records_are_not_streamed(array_records):
    dataset = TFDSImages("stored", 4, data_dir=str(array_records), limit=0)
    with pytest.raises(ConfigurationError, match="array_record is not streamed: raise"):
        dataset.examples(seed=(1, 0), first=0, count=4)


@pytest.mark.parametrize("limit", [0, 2**30])
@pytest.mark.parametrize("stored", ["riegeli", "parquet", "array_record"])
def test_what_cannot_be_read_names_the_format_that_can(
    stored, limit, data_dir, monkeypatch
):
    prepared.prepare_builder("digits", data_dir)
    file_format = tfds.core.FileFormat(stored)
    monkeypatch.setattr(tfds.core.DatasetInfo, "file_format", file_format)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    dataset = TFDSImages("digits", 8, 1, data_dir=data_dir, limit=limit)
    remedy = f"stored as {stored}, .*tfds build digits .*--file_format=tfrecord"
    for use in (
        lambda: dataset.examples(seed=(0, 0), first=0, count=1),
        lambda: dataset.arrays("test"),
        lambda: list(dataset.ordered("train")),
    ):
        with pytest.raises(ConfigurationError, match=remedy):
            use()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "size"),
        ({"channels": 2}, "channels must be 1 or 3, not 2"),
        ({"shuffle_buffer": 0}, "shuffle_buffer must be at least 1"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        TFDSImages(**({"name": "cifar10", "size": 32} | wrong))


def test_given_classes_are_kept_and_ask_nobody(tmp_path):
    elsewhere = TFDSImages("no_such_set", 8, num_classes=7)
    assert (elsewhere.num_classes, elsewhere.class_names) == (7, None)
