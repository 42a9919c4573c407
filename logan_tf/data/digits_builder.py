"""The TFDS builder of scikit-learn's digits; importing it registers it as `digits`."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from sklearn import datasets

_HELD_OUT_EVERY = 5  # Of each class, in scikit-learn's order.


class DigitsBuilder(tfds.core.GeneratorBasedBuilder):
    """Real handwritten digits of 8×8 pixels, four fifths of them to train on."""

    name = "digits"
    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "1,797 handwritten digits of 13 people, as counts of ink on an 8x8 "
                "grid scaled from 0..16 to 0..255: the test part of the UCI set "
                "'Optical Recognition of Handwritten Digits', which scikit-learn "
                "carries, so nothing is downloaded. Every fifth example of each "
                "class is held out as the split 'test'."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://doi.org/10.24432/C50P49",
            citation=(
                "@misc{alpaydin1998optical, "
                "title={Optical Recognition of Handwritten Digits}, "
                "author={Alpaydin, Ethem and Kaynak, Cenk}, year={1998}, "
                "publisher={UCI Machine Learning Repository}, "
                "doi={10.24432/C50P49}}"
            ),
        )

    def download_and_prepare(self, **kwargs: Any) -> None:
        """As in TFDS, without the bars: it takes a fraction of a second."""
        silence = io.StringIO()
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
            super().download_and_prepare(**kwargs)

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        del dl_manager  # Nothing is downloaded.
        return {
            "train": self._generate_examples(held_out=False),
            "test": self._generate_examples(held_out=True),
        }

    def _generate_examples(self, *, held_out: bool) -> Iterator[tuple[int, dict]]:
        images, labels = datasets.load_digits(return_X_y=True)
        images = np.round(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
        seen = [0] * 10
        for key, (image, label) in enumerate(zip(images, labels, strict=True)):
            seen[label] += 1
            if (seen[label] % _HELD_OUT_EVERY == 0) == held_out:
                yield key, {"image": image, "label": int(label)}
