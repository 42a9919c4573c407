import random
import re

import pytest

from logan_tf.data import digits_builder, prepared
from logan_tf.data.digits import Digits
from logan_tf.errors import BadDataError, ConfigurationError


def _prepare_first(monkeypatch, when, data_dir):
    """Lets another process finish its preparation at the moment `when` is called."""
    original = getattr(digits_builder.DigitsBuilder, when)

    def interrupted(self, *args, **kwargs):
        monkeypatch.setattr(digits_builder.DigitsBuilder, when, original)
        prepared.prepare_builder("digits", data_dir)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(digits_builder.DigitsBuilder, when, interrupted)


@pytest.mark.parametrize("when", ["_split_generators", "download_and_prepare"])
def test_the_slower_of_two_processes_uses_the_data_of_the_faster(
    when, monkeypatch, tmp_path
):
    _prepare_first(monkeypatch, when, str(tmp_path))
    images, _ = Digits(8, str(tmp_path)).arrays("test")
    assert len(images) == 355
    assert [p.name for p in (tmp_path / "digits").iterdir()] == ["1.0.0"]


def test_preparing_leaves_the_random_state_and_does_not_use_it(tmp_path, monkeypatch):
    states = []
    original = digits_builder.DigitsBuilder.download_and_prepare

    def watched(self, **kwargs):
        states.append(random.getstate())
        original(self, **kwargs)

    monkeypatch.setattr(digits_builder.DigitsBuilder, "download_and_prepare", watched)
    random.seed(0)
    before = random.getstate()
    prepared.prepare_builder("digits", str(tmp_path))
    assert random.getstate() == before
    assert states[0] != before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar1O", "knows no data set 'cifar1O': did you mean cifar10 or"),
        ("MNIST_", "did you mean mnist"),
        ("zzzzzzzzzz", "see tfds.list_builders()"),
        ("", "''"),
        ("mnist/foo", "cannot set up 'mnist/foo' (BuilderConfig foo not found"),
        ("mnist:99.0.0", "mnist cannot be loaded at version 99.0.0, only: 3.0.1)"),
    ],
)
def test_unknown_names_are_refused_in_one_line(name, message, tmp_path):
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        prepared.find_builder(name, str(tmp_path))
    assert "\n" not in str(caught.value)


def test_failing_download_names_the_remedy(monkeypatch, tmp_path):
    def fail(self, **kwargs):
        raise ConnectionError("name resolution\nfailed")

    monkeypatch.setattr(digits_builder.DigitsBuilder, "download_and_prepare", fail)
    with pytest.raises(BadDataError, match="data_dir") as caught:
        Digits(8, str(tmp_path)).arrays("train")
    assert "(name resolution)" in str(caught.value)
    assert "tfds build digits" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_data_dir_that_is_a_file_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadDataError, match="set data_dir to a writable directory"):
        Digits(8, str(tmp_path / "file")).arrays("train")


def test_empty_version_directory_names_the_remedy(tmp_path):
    (tmp_path / "digits" / "1.0.0").mkdir(parents=True)
    with pytest.raises(BadDataError, match=r"is incomplete: delete it"):
        Digits(8, str(tmp_path)).arrays("train")


def test_garbled_records_name_the_remedy(tmp_path):
    Digits(8, str(tmp_path)).arrays("test")
    (records,) = (tmp_path / "digits" / "1.0.0").glob("*test.tfrecord*")
    content = bytearray(records.read_bytes())
    content[len(content) // 2] ^= 255
    records.write_bytes(content)
    with pytest.raises(BadDataError, match=r"\(DataLossError\): delete that directory"):
        Digits(8, str(tmp_path)).arrays("test")


@pytest.mark.parametrize("name", ["huggingface:mnist", "kaggle:a/b:1.0.0"])
def test_a_namespace_is_refused_before_its_code_is_fetched(name, monkeypatch):
    def fetched(*_, **__):
        raise AssertionError

    monkeypatch.setattr("tensorflow_datasets.builder", fetched)
    with pytest.raises(ConfigurationError, match="outside of TFDS"):
        prepared.find_builder(name, None)


def test_a_version_is_no_namespace():
    assert str(prepared.find_builder("mnist:3.0.1", None).version) == "3.0.1"


@pytest.mark.parametrize("name", ["stored:3.0.0", "stored/other"])
def test_a_missing_version_of_stored_data_names_those_there_are(
    name, store_tfds, tmp_path
):
    for version in ("1.0.0", "2.0.0"):
        store_tfds(tmp_path, "stored", version)
    assert str(prepared.find_builder("stored:1.0.0", str(tmp_path)).version) == "1.0.0"
    with pytest.raises(ConfigurationError) as caught:
        prepared.find_builder(name, str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path} has stored:1.0.0 and stored:2.0.0, not {name!r}: name one of them"
    )


def test_a_tilde_is_the_home_folder(store_tfds, tmp_path, monkeypatch):
    store_tfds(tmp_path / "data", "stored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert prepared.find_builder("stored", "~/data").data_path.parent.parent == (
        tmp_path / "data"
    )
    prepared.prepare_builder("digits", "~/data")
    assert (tmp_path / "data" / "digits").is_dir()
