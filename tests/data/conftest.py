"""Data that the tests of this directory share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory of prepared data; the first test that needs the digits makes them."""
    return str(tmp_path_factory.mktemp("tensorflow_datasets"))


@pytest.fixture(scope="session")
def store_tfds() -> Callable[..., None]:
    """Stores twelve pictures in TFDS's layout, as of a data set without its code."""

    def store(
        data_dir: Path,
        name: str,
        version: str = "1.0.0",
        labels: Sequence[int] = range(3),
        **settings: Any,
    ) -> None:
        import numpy as np
        import tensorflow_datasets as tfds

        examples = [
            {
                "image": np.full((4, 4, 3), number, np.uint8),
                "label": labels[number % len(labels)],
            }
            for number in range(12)
        ]
        examples = list(enumerate(examples))  # TFDS wants keys.
        features = {
            "image": tfds.features.Image(shape=(4, 4, 3)),
            "label": tfds.features.ClassLabel(num_classes=3),
        }
        tfds.dataset_builders.store_as_tfds_dataset(
            name,
            version,
            tfds.features.FeaturesDict(features),
            {"train": examples, "test": examples},
            data_dir=data_dir,
            **settings,
        )

    return store


class Prepared:
    """Folders of pictures on their way to a data set."""

    @staticmethod
    def preparation(images: Path, output: Path, size=4, shards=3, **settings):
        """Of a folder; the output is there."""
        from logan_tf.data.preparation import folders, sources, writing

        output.mkdir(exist_ok=True)
        listing = folders.find(images)
        source = sources.FolderSource(images, listing, size, **settings)
        return writing.Preparation(source, output, size, shards)

    @classmethod
    def run(cls, images: Path, output: Path, **settings):
        """Writes what is missing of the data set and returns its manifest."""
        from logan_tf.data.preparation import image_files

        with image_files.pixel_cap(image_files.MAX_PIXELS):
            prepared = cls.preparation(images, output, **settings)
            return prepared.finished() or prepared.run(lambda *_: None)

    @staticmethod
    def contents(folder: Path) -> dict[str, bytes]:
        """Of every file, by its path."""
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


@pytest.fixture(scope="session")
def prepared() -> type[Prepared]:
    return Prepared


@pytest.fixture(scope="session")
def image_folder(make_pictures, tmp_path_factory):
    """Twelve pictures, and two files that are none."""
    folder = make_pictures(tmp_path_factory.mktemp("images"))
    (folder / "cat" / "broken.png").write_bytes(b"x")
    (folder / "dog" / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture(scope="session")
def whole(image_folder, prepared, tmp_path_factory):
    """The data set, made without any interruption."""
    folder = tmp_path_factory.mktemp("prepared") / "whole"
    prepared.run(image_folder, folder, test_share=0.3)
    return folder
